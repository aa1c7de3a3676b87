package filemq

import (
	"bytes"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/zsync/zsync"
)

func noise(size int) []byte {
	octets := make([]byte, size)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(octets)
	return octets
}

func TestOnlyWhatShrinksIsCompressed(t *testing.T) {
	var z zipper
	for name, test := range map[string]struct {
		data       []byte
		compressed bool
	}{
		"text":       {bytes.Repeat([]byte("all work and no play "), 5000), true},
		"noise":      {noise(100_000), false},
		"tiny":       {make([]byte, compressedMin-1), false},
		"one octet":  {[]byte{1}, false},
		"a full one": {make([]byte, ItemBytesMax), true},
	} {
		packed, compressed := z.pack(zsync.Digest{}, test.data)
		if compressed != test.compressed || len(packed) > len(test.data) {
			t.Errorf("%s: %d octets became %d, compressed %v", name, len(test.data), len(packed), compressed)
		}
		data, ok := z.unpack(BukkitItem{Compressed: compressed, Data: packed}, len(test.data))
		if !ok || !bytes.Equal(data, test.data) {
			t.Errorf("%s: came back otherwise", name)
		}
	}
}

// Invariant 7.
func TestABombAllocatesNoMoreThanItWasAskedFor(t *testing.T) {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	bomb := encoder.EncodeAll(make([]byte, 64<<20), nil)
	var stream bytes.Buffer // one that does not say its size
	encoder.Reset(&stream)
	for range 64 {
		_, _ = encoder.Write(make([]byte, 1<<20))
	}
	if err := encoder.Close(); err != nil {
		t.Fatal(err)
	}
	var z zipper
	z.unpack(BukkitItem{Compressed: true, Data: []byte{0}}, 2) // makes the decoder
	for name, data := range map[string][]byte{"sized": bomb, "unsized": stream.Bytes()} {
		for _, size := range []int{len(data) + 1, ItemBytesMax} {
			ok := false
			allocated := allocatedBy(func() { _, ok = z.unpack(BukkitItem{Compressed: true, Data: data}, size) })
			if ok || allocated > ItemBytesMax+1<<20 {
				t.Errorf("%s: %d octets allocated for an item of %d, good %v", name, allocated, size, ok)
			}
		}
	}
}

func allocatedBy(act func()) (octets uint64) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	act()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

func TestCompressedItemsOfAnotherSizeAreBad(t *testing.T) {
	var z zipper
	packed, _ := z.pack(zsync.Digest{}, make([]byte, 5000))
	for _, size := range []int{1, len(packed), 4999, 5001} {
		if _, ok := z.unpack(BukkitItem{Compressed: true, Data: packed}, size); ok {
			t.Errorf("5000 octets passed for %d", size)
		}
	}
	if _, ok := z.unpack(BukkitItem{Compressed: true, Data: []byte("no zstd")}, 5000); ok {
		t.Error("what is no zstd was unpacked")
	}
}

func TestCompressionIsUsedOnlyWhereBothEndsOfferIt(t *testing.T) {
	for _, test := range []struct{ here, there, want bool }{
		{true, true, true},
		{true, false, false},
		{false, true, false},
	} {
		s := opened(t, Config{Compress: test.here}, capsOf(Config{Compress: test.there}))
		s.Request(testTime, Request{Items: []Item{{Size: 5000}}})
		if gimme := sent(t, s.Output())[0].(Gimme); gimme.Compress != test.want {
			t.Errorf("%+v: asked for %v", test, gimme.Compress)
		}
		received(s, Nom{Credit: 1 << 20}, Gimme{Req: 1, Compress: test.there, Items: []Item{{Size: 5000}}})
		s.provider.line.slow = true
		s.Supplied(testTime, 1, 0, make([]byte, 5000))
		item := sent(t, s.Output())[0].(Bukkit).Items[0]
		if item.Compressed != test.want {
			t.Errorf("%+v: sent %v", test, item.Compressed)
		}
		if left := s.provider.purse.left; left != 1<<20-costOf(5000) {
			t.Errorf("%+v: %d octets of credit left", test, left)
		}
	}
}
