package store

// What the tests of package store_test, which may import crashfs, need to see.
var (
	OpenPortable = openPortable
	Cut          = cut
	SlotName     = slotName
)

const (
	ChunkBytesMin = chunkBytesMin
	ChunkBytesMax = chunkBytesMax
)

// Chunks returns the lengths that data is cut into.
func Chunks(data []byte) (lengths []int) {
	for len(data) > 0 {
		n := cut(data)
		lengths = append(lengths, n)
		data = data[n:]
	}
	return lengths
}
