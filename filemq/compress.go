package filemq

import "github.com/klauspost/compress/zstd"

// compressedMin is the smallest item worth compressing, in octets.
const compressedMin = 512

// zipper packs and unpacks items. What it needs is made when first needed; the
// zero zipper is ready to use.
type zipper struct {
	encoder *zstd.Encoder
	decoder *zstd.Decoder
	scratch []byte
}

// pack returns data as it should travel, and whether that is compressed: only if
// it saves a twentieth. What it returns is good until the next call.
func (z *zipper) pack(data []byte) (packed []byte, compressed bool) {
	if len(data) < compressedMin {
		return data, false
	}
	if z.encoder == nil {
		z.encoder = newEncoder()
	}
	z.scratch = z.encoder.EncodeAll(data, z.scratch[:0])
	if len(z.scratch) > len(data)-len(data)/20 {
		return data, false
	}
	return z.scratch, true
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
