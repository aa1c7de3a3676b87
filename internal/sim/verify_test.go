package sim

import (
	"crypto/ed25519"
	"testing"
)

func TestWhatOneDeviceFoundForgedIsForgedForAllAndNothingElseIs(t *testing.T) {
	w := NewWorld(1, nil)
	private := ed25519.NewKeyFromSeed(make([]byte, ed25519.SeedSize))
	key, text := private.Public().(ed25519.PublicKey), []byte("text")
	other := ed25519.NewKeyFromSeed(append(make([]byte, ed25519.SeedSize-1), 1)).Public().(ed25519.PublicKey)
	good := ed25519.Sign(private, text)
	bad := append([]byte{good[0] ^ 1}, good[1:]...)
	for range 2 { // asked for the first time, and again
		for _, each := range []struct {
			key             ed25519.PublicKey
			text, signature []byte
			want            bool
		}{{key, text, good, true}, {key, text, bad, false}, {key, []byte("texT"), good, false}, {other, text, good, false}} {
			if got := w.verify(each.key, each.text, each.signature); got != each.want {
				t.Errorf("%x of %q by %x is %v", each.signature[:1], each.text, each.key[:4], got)
			}
		}
	}
}
