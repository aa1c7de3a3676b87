package filemq

import (
	"github.com/klauspost/compress/zstd"

	"github.com/zsync/zsync"
)

const (
	// compressedMin is the smallest item worth compressing, in octets.
	compressedMin = 512
	// triedBytes of an item of four times that and more say whether to try the rest.
	triedBytes = 4 << 10
	// stubbornMax is how many contents are remembered that did not shrink, and
	// skippedMax how many of a content's items travel as they are in a row, at most.
	stubbornMax = 64
	skippedMax  = 32
)

// zipper packs and unpacks items. What it needs is made when first needed; the
// zero zipper is ready to use.
type zipper struct {
	encoder  *zstd.Encoder
	decoder  *zstd.Decoder
	scratch  []byte
	stubborn []stubborn // contents whose last item did not shrink, the oldest first
}

// stubborn is a content that did not shrink.
type stubborn struct {
	of         zsync.Digest
	skip, next int // items to let pass untried, and after the next that does not shrink
}

// pack returns data, a piece of a content or, with of zero, a whole one, as it should
// travel, and whether that is compressed: only if it saves a twentieth. What it returns
// is good until the next call.
func (z *zipper) pack(of zsync.Digest, data []byte) (packed []byte, compressed bool) {
	if len(data) < compressedMin || z.skips(of) {
		return data, false
	}
	if z.encoder == nil {
		z.encoder = newEncoder()
	}
	compressed = len(data) < 4*triedBytes || z.shrinks(data[:triedBytes])
	compressed = compressed && z.shrinks(data)
	z.learn(of, compressed)
	if !compressed {
		return data, false
	}
	return z.scratch, true
}

func (z *zipper) shrinks(data []byte) bool {
	z.scratch = z.encoder.EncodeAll(data, z.scratch[:0])
	return len(z.scratch) <= len(data)-len(data)/20
}

// skips reports whether it is not worth while to try an item of a content.
func (z *zipper) skips(of zsync.Digest) bool {
	if s := z.known(of); s != nil && s.skip > 0 {
		s.skip--
		return true
	}
	return false
}

func (z *zipper) known(of zsync.Digest) *stubborn {
	for i := range z.stubborn {
		if z.stubborn[i].of == of {
			return &z.stubborn[i]
		}
	}
	return nil
}

// learn notes whether an item of a content shrank.
func (z *zipper) learn(of zsync.Digest, shrank bool) {
	s := z.known(of)
	switch {
	case of.IsZero():
	case shrank && s != nil:
		*s = stubborn{of: of, next: 1}
	case shrank:
	case s == nil:
		if len(z.stubborn) == stubbornMax {
			z.stubborn = append(z.stubborn[:0], z.stubborn[1:]...)
		}
		z.stubborn = append(z.stubborn, stubborn{of: of, skip: 1, next: 2})
	default:
		s.skip, s.next = s.next, min(2*s.next, skippedMax)
	}
}

// unpack returns the size octets that an item stands for. False: it stands for
// more or fewer, or for nothing. It allocates size octets at most, whatever the
// compressed data says of itself.
func (z *zipper) unpack(item BukkitItem, size int) (data []byte, ok bool) {
	if !item.Compressed {
		return item.Data, len(item.Data) == size
	}
	if len(item.Data) >= size {
		return nil, false
	}
	if z.decoder == nil {
		z.decoder = newDecoder()
	}
	data, err := z.decoder.DecodeAll(item.Data, make([]byte, 0, size))
	return data, err == nil && len(data) == size
}

func newEncoder() *zstd.Encoder {
	encoder, err := zstd.NewWriter(nil,
		zstd.WithEncoderConcurrency(1),
		zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderCRC(false), // the digest of the item sees to that
		zstd.WithLowerEncoderMem(true),
	)
	if err != nil {
		panic("filemq: " + err.Error())
	}
	return encoder
}

func newDecoder() *zstd.Decoder {
	decoder, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(ItemBytesMax),
		zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderLowmem(true),
	)
	if err != nil {
		panic("filemq: " + err.Error())
	}
	return decoder
}
