package replica

import (
	"encoding/binary"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// A disk key is the node u64 and 0 for the main version, or the node u64, 1 and
// the dot (event 32, index u32) of a conflict copy.
func (k diskKey) encode() []byte { return k.append(make([]byte, 0, 8+1+32+4)) }

func (k diskKey) append(raw []byte) []byte {
	raw = binary.BigEndian.AppendUint64(raw, k.node)
	if !k.isCopy() {
		return append(raw, 0)
	}
	return appendDot(append(raw, 1), k.copy)
}

func decodeDiskKey(in *wire.Reader) (k diskKey) {
	k.node = in.Uint64()
	if in.Uint8() == 1 {
		k.copy = readDot(in)
	}
	return k
}

func parseDiskKey(raw []byte) (diskKey, error) {
	in := wire.NewReader(raw)
	k := decodeDiskKey(in)
	return k, in.End()
}

func pathKey(p place) []byte {
	key := binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(p.name)), p.parent)
	return append(key, p.name...)
}

func appendDot(data []byte, dot zsync.Dot) []byte {
	return binary.BigEndian.AppendUint32(append(data, dot.Event[:]...), dot.Index)
}

func readDot(in *wire.Reader) (dot zsync.Dot) {
	in.Fill(dot.Event[:])
	dot.Index = in.Uint32()
	return dot
}

const (
	flagYoung = 1 << iota
	flagKept
	flagApart
	flagStands
)

// An onDisk is stored as
//
//	flags u8 | kind u8 | parent u64 | name | mode u32 | mtime i64 | content 32 |
//	list u32 | target | stat | dots: count u16, each event 32, index u32 | stands, if the flags say so
func (d *onDisk) append(data []byte) []byte {
	var flags byte
	if d.young {
		flags |= flagYoung
	}
	if d.kept {
		flags |= flagKept
	}
	if d.apart {
		flags |= flagApart
	}
	if d.stands != "" {
		flags |= flagStands
	}
	data = append(data, flags, byte(d.kind))
	data = binary.BigEndian.AppendUint64(data, d.place.parent)
	data = wire.AppendString(data, string(d.place.name))
	data = binary.BigEndian.AppendUint32(data, d.mode)
	data = binary.BigEndian.AppendUint64(data, uint64(d.mtimeNS))
	data = append(data, d.content[:]...)
	data = binary.BigEndian.AppendUint32(data, d.listLen)
	data = wire.AppendLongString(data, d.target)
	data = appendStat(data, d.stat)
	data = binary.BigEndian.AppendUint16(data, uint16(len(d.dots)))
	for _, dot := range d.dots {
		data = appendDot(data, dot)
	}
	if d.stands != "" {
		data = wire.AppendString(data, string(d.stands))
	}
	return data
}

func decodeOnDisk(key, value []byte) (*onDisk, error) {
	named, err := parseDiskKey(key)
	if err != nil {
		return nil, err
	}
	d := &onDisk{key: named}
	in := wire.NewReader(value)
	flags := in.Uint8()
	d.young, d.kept, d.apart = flags&flagYoung != 0, flags&flagKept != 0, flags&flagApart != 0
	d.kind = zsync.FileType(in.Uint8())
	d.place.parent = in.Uint64()
	d.place.name = zsync.Name(in.String())
	d.mode = in.Uint32()
	d.mtimeNS = int64(in.Uint64())
	in.Fill(d.content[:])
	d.listLen = in.Uint32()
	d.target = in.LongString(zsync.SymlinkBytesMax)
	d.stat = readStat(in)
	d.dots = make([]zsync.Dot, in.Count(uint64(in.Uint16()), 1<<16, 32+4))
	for i := range d.dots {
		d.dots[i] = readDot(in)
	}
	if flags&flagStands != 0 {
		d.stands = zsync.Name(in.String())
	}
	return d, in.End()
}

// A Stat is stored as type u8 | mode u32 | size, mtime, ctime, birth, inode u64.
func appendStat(data []byte, s store.Stat) []byte {
	data = binary.BigEndian.AppendUint32(append(data, byte(s.Type)), s.Mode)
	for _, n := range [...]uint64{uint64(s.Size), uint64(s.MtimeNS), uint64(s.CtimeNS), uint64(s.BirthNS), s.Inode} {
		data = binary.BigEndian.AppendUint64(data, n)
	}
	return data
}

func readStat(in *wire.Reader) (s store.Stat) {
	s.Type, s.Mode = zsync.FileType(in.Uint8()), in.Uint32()
	s.Size, s.MtimeNS, s.CtimeNS = int64(in.Uint64()), int64(in.Uint64()), int64(in.Uint64())
	s.BirthNS, s.Inode = int64(in.Uint64()), in.Uint64()
	return s
}

// addDot returns dots, which are ascending, with dot among them.
func addDot(dots []zsync.Dot, dot zsync.Dot) []zsync.Dot {
	i, found := slices.BinarySearchFunc(dots, dot, zsync.Dot.Compare)
	if found {
		return dots
	}
	return slices.Insert(slices.Clone(dots), i, dot)
}
