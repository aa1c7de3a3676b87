package security

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"

	"github.com/zsync/zsync"
)

func TestTheSameRandomnessMakesTheSameKeys(t *testing.T) {
	a, b := keysOf(t, "laptop"), keysOf(t, "laptop")
	if a.Key() != b.Key() || a.Device() != b.Device() || a.SealPublic() != b.SealPublic() {
		t.Fatal("two devices from one stream")
	}
	if c := keysOf(t, "box"); c.Key() == a.Key() || c.Device() == a.Device() || c.SealPublic() == a.SealPublic() {
		t.Fatal("one device from two streams")
	}
}

func TestTheThreeKeysOfADeviceDiffer(t *testing.T) {
	s := keysOf(t, "laptop").secrets
	if s.Sign == s.Curve || s.Curve == s.Seal || s.Seal == s.Sign {
		t.Fatal("a key in two roles")
	}
}

// RFC 7748, section 5.2: the first round of the iterated vector, whose point is
// the base point.
func TestPublicHalfIsX25519OfTheBasePoint(t *testing.T) {
	const want = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079"
	public := publicOf([32]byte{9})
	if got := hex.EncodeToString(public[:]); got != want {
		t.Fatalf("got %s", got)
	}
}

func TestCurveKeyThatBeginsWithZeroIsRolledAgain(t *testing.T) {
	unlucky := secretWithZeroPublic(t)
	lucky := bytes.Repeat([]byte{7}, 32)
	source := io.MultiReader(bytes.NewReader(make([]byte, 64)), bytes.NewReader(unlucky[:]), bytes.NewReader(lucky))
	keys, err := GenerateKeys(source)
	if err != nil {
		t.Fatal(err)
	}
	if _, secret := keys.Curve(); !bytes.Equal(secret[:], lucky) || keys.Key()[0] == 0 {
		t.Fatalf("kept the key %x", keys.Key())
	}
}

func TestSourceThatRepeatsItselfIsAnError(t *testing.T) {
	unlucky := secretWithZeroPublic(t)
	if _, err := GenerateKeys(repeating(unlucky[:])); !errors.Is(err, errNotRandom) {
		t.Fatalf("got %v", err)
	}
	if _, err := GenerateKeys(bytes.NewReader(make([]byte, 40))); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Fatalf("of a source that ends got %v", err)
	}
}

type repeating []byte

func (r repeating) Read(into []byte) (int, error) { return copy(into, r), nil }

func secretWithZeroPublic(t *testing.T) (secret [32]byte) {
	t.Helper()
	for range 10_000 {
		if publicOf(secret)[0] == 0 {
			return secret
		}
		secret = sha256.Sum256(secret[:])
	}
	t.Fatal("no such key")
	return secret
}

func TestWriterKeyIsHKDFOfTheSignSeed(t *testing.T) {
	keys := keysOf(t, "laptop")
	space, incarnation := zsync.SpaceID{1, 2, 3}, [16]byte{4, 5, 6}
	// RFC 5869 with no salt, written out: extract, then the one block that 32 octets need.
	extract := hmac.New(sha256.New, make([]byte, sha256.Size))
	extract.Write(keys.secrets.Sign[:])
	expand := hmac.New(sha256.New, extract.Sum(nil))
	expand.Write([]byte("zsync/writer/1"))
	expand.Write(space[:])
	expand.Write(incarnation[:])
	expand.Write([]byte{1})
	if want := ed25519.NewKeyFromSeed(expand.Sum(nil)); !keys.WriterKey(space, incarnation).Equal(want) {
		t.Fatal("another key")
	}
}

func TestWriterKeysDifferBySpaceIncarnationAndDevice(t *testing.T) {
	a, b := keysOf(t, "laptop"), keysOf(t, "box")
	keys := []ed25519.PrivateKey{
		a.WriterKey(zsync.SpaceID{}, [16]byte{}),
		a.WriterKey(zsync.SpaceID{1}, [16]byte{}),
		a.WriterKey(zsync.SpaceID{}, [16]byte{1}),
		b.WriterKey(zsync.SpaceID{}, [16]byte{}),
	}
	for i, one := range keys {
		for _, other := range keys[:i] {
			if one.Equal(other) {
				t.Fatal("one key for two chains")
			}
		}
	}
}

func TestNoFormatShowsASecret(t *testing.T) {
	keys := keysOf(t, "laptop")
	var shown strings.Builder
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
		fmt.Fprintf(&shown, verb, keys)
		fmt.Fprintf(&shown, verb, *keys)
		fmt.Fprintf(&shown, verb, []any{keys, struct{ K *Keys }{keys}})
	}
	for _, handler := range []slog.Handler{slog.NewTextHandler(&shown, nil), slog.NewJSONHandler(&shown, nil)} {
		slog.New(handler).Info("ready", "keys", keys, "value", *keys)
	}
	text := shown.String()
	for _, secret := range [][32]byte{keys.secrets.Sign, keys.secrets.Curve, keys.secrets.Seal} {
		for _, form := range []string{"%x", "%X", "%s", "%v", "%q"} {
			if strings.Contains(text, strings.Trim(fmt.Sprintf(form, secret[:]), "[]\"")) {
				t.Fatalf("a secret shows in %s", text)
			}
		}
	}
	if !strings.Contains(text, keys.Key().String()) {
		t.Fatal("the log does not say whose keys they are")
	}
}

func TestEveryTypingErrorInAKeyIsNoticed(t *testing.T) {
	text := keysOf(t, "laptop").Key().String()
	if len(text) != 59 {
		t.Fatalf("a key of %d characters", len(text))
	}
	wrong := func(typed string) {
		t.Helper()
		if key, err := zsync.ParseKey(typed); !errors.Is(err, zsync.ErrKeyTyping) {
			t.Fatalf("%s read as %s, %v", typed, key, err)
		}
	}
	const letters = "abcdefghijklmnopqrstuvwxyz234567018-"
	for i := range text {
		for _, letter := range letters {
			if typed := text[:i] + string(letter) + text[i+1:]; typed != text {
				wrong(typed)
			}
		}
		wrong(text[:i] + text[i+1:])
		if i < len(text)-1 {
			wrong(text[:i] + text[i:i+1] + text[i:])
		}
		if i > 0 && text[i] != text[i-1] {
			wrong(text[:i-1] + text[i:i+1] + text[i-1:i] + text[i+1:])
		}
	}
	wrong("")
	wrong(text + " " + text)
}

func TestKeyIsReadInUpperCaseAndAmongSpaces(t *testing.T) {
	key := keysOf(t, "laptop").Key()
	for _, typed := range []string{key.String(), strings.ToUpper(key.String()), "  " + key.String() + "\n"} {
		if got, err := zsync.ParseKey(typed); err != nil || got != key {
			t.Fatalf("%q read as %v, %v", typed, got, err)
		}
	}
}
