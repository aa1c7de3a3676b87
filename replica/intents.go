package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// bucketIntents holds the batches under way: the place u32, among all of them, of the
// first step of a group -> the steps of the group. It is written before the first
// change of a batch, and what is of that batch is removed with the D that follows.
const bucketIntents = "intents"

// intentsMax is how many steps make a group.
const intentsMax = 64

// pathBytesMax bounds a path, in octets.
const pathBytesMax = (zsync.PathDepthMax + 1) * (zsync.NameBytesMax + 1)

const (
	intentMade  = 1 << iota // step.made
	intentOld               // the Change has an Old
	intentAfter             // the step has an after
)

// A step is stored as
//
//	flags u8 | op u8 | path | from | content 32 | size i64 | mode u32 | mtime i64 | target |
//	disk key | old: stat | after: disk key, length u32, onDisk
//
// with texts as a u32 length and octets, a disk key as a u8 length and octets, and
// old and after where the flags say so.
func (s *step) append(data []byte) []byte {
	c := &s.change
	data = append(data, s.intentFlags(), byte(c.Op))
	data = wire.AppendLongString(data, string(c.Path))
	data = wire.AppendLongString(data, string(c.From))
	data = append(data, c.Content[:]...)
	data = binary.BigEndian.AppendUint64(data, uint64(c.Size))
	data = binary.BigEndian.AppendUint32(data, c.Mode)
	data = binary.BigEndian.AppendUint64(data, uint64(c.MtimeNS))
	data = wire.AppendLongString(data, c.Target)
	data = appendDiskKey(data, s.key)
	if c.Old != nil {
		data = appendStat(data, *c.Old)
	}
	if s.after != nil {
		data = append(appendDiskKey(data, s.after.key), 0, 0, 0, 0)
		from := len(data)
		data = s.after.append(data)
		binary.BigEndian.PutUint32(data[from-4:], uint32(len(data)-from))
	}
	return data
}

func (s *step) intentFlags() (flags byte) {
	for i, set := range []bool{s.made, s.change.Old != nil, s.after != nil} {
		if set {
			flags |= 1 << i
		}
	}
	return flags
}

func appendDiskKey(data []byte, key diskKey) []byte {
	at := len(data)
	data = key.append(append(data, 0))
	data[at] = byte(len(data) - at - 1)
	return data
}

// putIntents writes the steps of a batch down, the first of which has the place from.
func putIntents(tx kv.Tx, from uint32, steps []step) {
	var group []byte
	for first := 0; first < len(steps); first += intentsMax {
		group = group[:0]
		for i := first; i < min(first+intentsMax, len(steps)); i++ {
			group = steps[i].append(group)
		}
		tx.Put(bucketIntents, intentsKey(from, first), group)
	}
}

func intentsKey(from uint32, first int) []byte {
	return binary.BigEndian.AppendUint32(nil, from+uint32(first))
}

// intents returns what was under way when this device stopped.
func intents(tx kv.Tx) (steps []step) {
	tx.Scan(bucketIntents, nil, func(_, group []byte) bool {
		for in := wire.NewReader(group); len(in.Rest()) > 0; {
			s, err := readStep(in)
			if err != nil {
				tx.Fail(fmt.Errorf("replica: intent: %w", err))
				return false
			}
			steps = append(steps, s)
		}
		return true
	})
	return steps
}

func readStep(in *wire.Reader) (s step, err error) {
	flags := in.Uint8()
	s.made = flags&intentMade != 0
	c := &s.change
	c.Op = store.Op(in.Uint8())
	c.Path, c.From = zsync.Path(in.LongString(pathBytesMax)), zsync.Path(in.LongString(pathBytesMax))
	in.Fill(c.Content[:])
	c.Size, c.Mode, c.MtimeNS = int64(in.Uint64()), in.Uint32(), int64(in.Uint64())
	c.Target = in.LongString(zsync.SymlinkBytesMax)
	if s.key, err = parseDiskKey(in.Bytes(int(in.Uint8()))); err != nil {
		return s, err
	}
	if flags&intentOld != 0 {
		old := readStat(in)
		c.Old = &old
	}
	if flags&intentAfter != 0 {
		key := in.Bytes(int(in.Uint8()))
		s.after, err = decodeOnDisk(key, in.Bytes(int(in.Uint32())))
	}
	if err == nil {
		err = in.Err()
	}
	return s, err
}

func dropIntents(tx kv.Tx) { tx.Drop(bucketIntents) }

// dropSomeIntents removes what putIntents wrote of so many steps.
func dropSomeIntents(tx kv.Tx, from uint32, steps int) {
	for first := 0; first < steps; first += intentsMax {
		tx.Delete(bucketIntents, intentsKey(from, first))
	}
}
