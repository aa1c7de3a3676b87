package filemq

import (
	"encoding/binary"

	"github.com/zsync/zsync/internal/wire"
)

const (
	headBytes       = 3                            // AA A3 and the id
	spaceDigits     = 32                           // of a space id, in hexadecimal
	gimmeHeadBytes  = headBytes + 41 + spaceDigits // with the count of items
	gimmeItemBytes  = 32 + 8 + 4
	bukkitHeadBytes = headBytes + 4 + 2
	bukkitItemBytes = 2 + 1 + 4 // and the data
	noezItemBytes   = 2 + 1
)

// The flags of a GIMME.
const (
	flagCompress = 1 << iota
	flagLists
)

// Encode returns the frame that says c. A command that cannot be said (a string
// of more than 255 octets where the format has one octet of length) is a bug of
// the caller: it panics.
func Encode(c Command) []byte { return c.appendTo(make([]byte, 0, c.size())) }

func head(frame []byte, number id) []byte { return append(frame, 0xAA, 0xA3, byte(number)) }

func (c Ohai) size() int { return headBytes + 1 + len(c.Protocol) + 2 + c.Caps.tailSize() }

func (c Ohai) appendTo(frame []byte) []byte {
	frame = wire.AppendString(head(frame, idOhai), c.Protocol)
	frame = binary.BigEndian.AppendUint16(frame, c.Version)
	return c.Caps.appendTail(frame)
}

func (c OhaiOK) size() int { return headBytes + c.Caps.tailSize() }

func (c OhaiOK) appendTo(frame []byte) []byte { return c.Caps.appendTail(head(frame, idOhaiOK)) }

func (c Nom) size() int { return headBytes + 16 }

func (c Nom) appendTo(frame []byte) []byte {
	frame = binary.BigEndian.AppendUint64(head(frame, idNom), c.Credit)
	return binary.BigEndian.AppendUint64(frame, c.Sequence)
}

func (c Hugz) size() int      { return headBytes }
func (c HugzOK) size() int    { return headBytes }
func (c Kthxbai) size() int   { return headBytes }
func (c IcanhazOK) size() int { return headBytes }

func (c Hugz) appendTo(frame []byte) []byte      { return head(frame, idHugz) }
func (c HugzOK) appendTo(frame []byte) []byte    { return head(frame, idHugzOK) }
func (c Kthxbai) appendTo(frame []byte) []byte   { return head(frame, idKthxbai) }
func (c IcanhazOK) appendTo(frame []byte) []byte { return head(frame, idIcanhazOK) }

func (c Srsly) size() int { return headBytes + 1 + len(c.Reason) }
func (c Rtfm) size() int  { return headBytes + 1 + len(c.Reason) }

func (c Srsly) appendTo(frame []byte) []byte {
	return wire.AppendString(head(frame, idSrsly), c.Reason)
}

func (c Rtfm) appendTo(frame []byte) []byte { return wire.AppendString(head(frame, idRtfm), c.Reason) }

func (c Gimme) size() int { return gimmeHeadBytes + len(c.Items)*gimmeItemBytes }

func (c Gimme) appendTo(frame []byte) []byte {
	frame = binary.BigEndian.AppendUint32(head(frame, idGimme), c.Req)
	frame = append(frame, c.Prio, c.flags())
	frame = wire.AppendString(frame, c.Space.String())
	frame = append(frame, c.Of[:]...)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(c.Items)))
	for i := range c.Items {
		item := &c.Items[i]
		frame = append(frame, item.Hash[:]...)
		frame = binary.BigEndian.AppendUint64(frame, item.Offset)
		frame = binary.BigEndian.AppendUint32(frame, item.Size)
	}
	return frame
}

func (c Gimme) flags() (flags uint8) {
	if c.Compress {
		flags |= flagCompress
	}
	if c.Lists {
		flags |= flagLists
	}
	return flags
}

func (c Bukkit) size() int {
	total := bukkitHeadBytes
	for _, item := range c.Items {
		total += bukkitItemBytes + len(item.Data)
	}
	return total
}

func (c Bukkit) appendTo(frame []byte) []byte {
	frame = appendBukkitHead(frame, c.Req, len(c.Items))
	for _, item := range c.Items {
		frame = appendBukkitItem(frame, item)
	}
	return frame
}

func appendBukkitHead(frame []byte, req uint32, count int) []byte {
	frame = binary.BigEndian.AppendUint32(head(frame, idBukkit), req)
	return binary.BigEndian.AppendUint16(frame, uint16(count))
}

func appendBukkitItem(frame []byte, item BukkitItem) []byte {
	return append(appendBukkitItemHead(frame, item), item.Data...)
}

func appendBukkitItemHead(frame []byte, item BukkitItem) []byte {
	frame = binary.BigEndian.AppendUint16(frame, item.Index)
	frame = append(frame, octet(item.Compressed))
	return binary.BigEndian.AppendUint32(frame, uint32(len(item.Data)))
}

func (c Noez) size() int { return headBytes + 6 + len(c.Items)*noezItemBytes }

func (c Noez) appendTo(frame []byte) []byte {
	frame = binary.BigEndian.AppendUint32(head(frame, idNoez), c.Req)
	frame = binary.BigEndian.AppendUint16(frame, uint16(len(c.Items)))
	for _, item := range c.Items {
		frame = append(binary.BigEndian.AppendUint16(frame, item.Index), byte(item.Code))
	}
	return frame
}

func (c Nvm) size() int { return headBytes + 4 }

func (c Nvm) appendTo(frame []byte) []byte {
	return binary.BigEndian.AppendUint32(head(frame, idNvm), c.Req)
}

func (c Bump) size() int { return headBytes + 5 }

func (c Bump) appendTo(frame []byte) []byte {
	return append(binary.BigEndian.AppendUint32(head(frame, idBump), c.Req), c.Prio)
}

func (c Icanhaz) size() int {
	return headBytes + 4 + len(c.Path) + c.Options.size() + c.Cache.size()
}

func (c Icanhaz) appendTo(frame []byte) []byte {
	frame = wire.AppendLongString(head(frame, idIcanhaz), c.Path)
	return c.Cache.appendTo(c.Options.appendTo(frame))
}

func (c Cheezburger) size() int {
	return headBytes + 8 + 1 + 4 + len(c.Filename) + 8 + 1 + c.Headers.size() + 4 + len(c.Chunk)
}

func (c Cheezburger) appendTo(frame []byte) []byte {
	frame = binary.BigEndian.AppendUint64(head(frame, idCheezburger), c.Sequence)
	frame = wire.AppendLongString(append(frame, byte(c.Operation)), c.Filename)
	frame = binary.BigEndian.AppendUint64(frame, c.Offset)
	frame = c.Headers.appendTo(append(frame, octet(c.EOF)))
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(c.Chunk)))
	return append(frame, c.Chunk...)
}

func octet(set bool) byte {
	if set {
		return 1
	}
	return 0
}

// The dictionary of an OHAI is a tail that stock peers do not see, so no
// capabilities are no tail.
func (d Dictionary) tailSize() int {
	if d == nil {
		return 0
	}
	return d.size()
}

func (d Dictionary) appendTail(frame []byte) []byte {
	if d == nil {
		return frame
	}
	return d.appendTo(frame)
}

func (d Dictionary) size() int {
	total := 4
	for _, pair := range d {
		total += 1 + len(pair.Key) + 4 + len(pair.Value)
	}
	return total
}

func (d Dictionary) appendTo(frame []byte) []byte {
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(d)))
	for _, pair := range d {
		frame = wire.AppendLongString(wire.AppendString(frame, pair.Key), pair.Value)
	}
	return frame
}
