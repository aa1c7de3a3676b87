package filemq

import "encoding/binary"

// bundle is one answer in the making. Which items it will carry is settled when
// their reads are ordered, so its frame can be made in one allocation of the
// right size, and the data of each item is copied once: into it. It is sent when
// all its reads have returned.
type bundle struct {
	planned int // items
	bytes   int // of their data
	pending int // reads that have not returned

	frame   []byte     // a BUKKIT, from the first item supplied on
	count   int        // items in it
	cost    int64      // credit reserved for them
	octets  int64      // of their data as it travels
	refused []NoezItem // items that will not come
	sent    bool
}

// takes reports whether an item of size octets can still be planned in. A nil
// bundle takes none, nor does one that has begun to fill.
func (b *bundle) takes(size int) bool {
	return b != nil && b.pending == b.planned &&
		b.planned < bundleItemsMax && b.bytes+size <= bundleBytesMax
}

func (b *bundle) plan(size int) {
	b.planned++
	b.pending++
	b.bytes += size
}

// put copies an item of size octets, as it travels, into the frame.
func (b *bundle) put(req uint32, item BukkitItem, size int) {
	if b.frame == nil {
		frameBytes := bukkitHeadBytes + b.planned*bukkitItemBytes + b.bytes
		b.frame = appendBukkitHead(make([]byte, 0, frameBytes), req, 0)
	}
	b.frame = appendBukkitItem(b.frame, item)
	b.count++
	b.cost += costOf(size)
	b.octets += int64(len(item.Data))
}

// putInPlace makes the frame of the only item around its data, which lies Headroom
// octets into it.
func (b *bundle) putInPlace(req uint32, item BukkitItem, frame []byte) {
	appendBukkitItemHead(appendBukkitHead(frame[:0], req, 0), item)
	b.frame = frame
	b.count++
	b.cost += costOf(len(item.Data))
	b.octets += int64(len(item.Data))
}

// sealed returns the frame with its count of items filled in.
func (b *bundle) sealed() []byte {
	binary.BigEndian.PutUint16(b.frame[bukkitHeadBytes-2:], uint16(b.count))
	return b.frame
}
