package store

import "bytes"

// What the tests of package store_test, which may import crashfs, need to see.
var (
	OpenPortable = openPortable
	SlotName     = slotName
)

const (
	ChunkBytesMin = chunkBytesMin
	ChunkBytesMax = chunkBytesMax
)

// Chunks returns the lengths that data is cut into.
func Chunks(data []byte) (lengths []int) {
	cutter, err := newCutter(bytes.NewReader(data), int64(len(data)), make([]byte, bufferBytes))
	if err != nil {
		panic(err)
	}
	for left := len(data); left > 0; {
		chunk, _ := cutter.Next() // io.EOF comes with the last chunk
		left -= len(chunk)
		lengths = append(lengths, len(chunk))
	}
	return lengths
}
