package filemq

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

var (
	// ErrSignature is returned for a frame that does not begin AA A3: not for
	// this protocol, and to be ignored.
	ErrSignature = errors.New("filemq: no FILEMQ signature")
	// ErrUnknown is returned for a frame whose id names no command.
	ErrUnknown = errors.New("filemq: unknown command")
	// ErrField is returned for a field that holds no value of its kind.
	ErrField = errors.New("filemq: impossible field")
)

// pathBytesMax is the longest path or file name, in octets. Neither it nor any
// limit of a dictionary is in 35/FILEMQ.
const pathBytesMax = 4096

type dictionaryLimit struct{ pairs, keyBytes, valueBytes, totalBytes int }

func capsLimit() dictionaryLimit   { return dictionaryLimit{32, 32, 128, 4 << 10} }
func headerLimit() dictionaryLimit { return dictionaryLimit{16, 255, pathBytesMax, 64 << 10} }
func cacheLimit() dictionaryLimit  { return dictionaryLimit{1 << 16, 255, pathBytesMax, 8 << 20} }

// Decode reads one frame. What the Command holds aliases the frame where its
// type says so. Octets after the last field are ignored in FILEMQ's own
// commands, as the C code ignores them, and an error in the extension's: there,
// one command has one encoding.
//
// The errors are ErrSignature, ErrUnknown, ErrField and those of internal/wire;
// all but the first break the protocol.
func Decode(frame []byte) (Command, error) {
	r := wire.NewReader(frame)
	if r.Uint8() != 0xAA || r.Uint8() != 0xA3 {
		return nil, ErrSignature
	}
	number := id(r.Uint8())
	c := decode(number, r)
	switch {
	case r.Err() != nil:
		return nil, r.Err()
	case number >= idGimme && number <= idBump && r.End() != nil:
		return nil, r.End()
	}
	return c, nil
}

// Opens reports whether a frame claims to be the greeting with which a session
// begins. What arrives late for one that is over does not.
func Opens(frame []byte) bool {
	r := wire.NewReader(frame)
	return r.Uint8() == 0xAA && r.Uint8() == 0xA3 && id(r.Uint8()) == idOhai && r.Err() == nil
}

func decode(number id, r *wire.Reader) Command {
	switch number {
	case idOhai:
		return Ohai{Protocol: r.String(), Version: r.Uint16(), Caps: decodeTail(r)}
	case idOhaiOK:
		return OhaiOK{Caps: decodeTail(r)}
	case idNom:
		return Nom{Credit: r.Uint64(), Sequence: r.Uint64()}
	case idHugz:
		return Hugz{}
	case idHugzOK:
		return HugzOK{}
	case idKthxbai:
		return Kthxbai{}
	case idSrsly:
		return Srsly{Reason: r.String()}
	case idRtfm:
		return Rtfm{Reason: r.String()}
	case idGimme:
		return decodeGimme(r)
	case idBukkit:
		return decodeBukkit(r)
	case idNoez:
		return decodeNoez(r)
	case idNvm:
		return Nvm{Req: r.Uint32()}
	case idBump:
		return Bump{Req: r.Uint32(), Prio: decodePrio(r)}
	case idIcanhaz:
		return decodeIcanhaz(r)
	case idIcanhazOK:
		return IcanhazOK{}
	case idCheezburger:
		return decodeCheezburger(r)
	}
	r.Fail(fmt.Errorf("%w %02x", ErrUnknown, uint8(number)))
	return nil
}

func decodeGimme(r *wire.Reader) Command {
	c := Gimme{Req: r.Uint32(), Prio: decodePrio(r)}
	flags := r.Uint8()
	c.Compress, c.Lists = flags&flagCompress != 0, flags&flagLists != 0
	c.Space = decodeSpace(r)
	r.Fill(c.Of[:])
	if flags&^(flagCompress|flagLists) != 0 || c.Lists && c.Of.IsZero() {
		r.Fail(fmt.Errorf("%w: flags %02x", ErrField, flags))
	}
	c.Items = make([]Item, decodeCount(r, RequestItemsMax, gimmeItemBytes))
	for i := range c.Items {
		item := &c.Items[i]
		r.Fill(item.Hash[:])
		item.Offset, item.Size = r.Uint64(), r.Uint32()
	}
	return c
}

func decodeBukkit(r *wire.Reader) Command {
	c := Bukkit{Req: r.Uint32()}
	c.Items = make([]BukkitItem, decodeCount(r, bundleItemsMax, bukkitItemBytes))
	for i := range c.Items {
		item := &c.Items[i]
		item.Index, item.Compressed = r.Uint16(), decodeFlag(r)
		item.Data = r.Bytes(r.Count(uint64(r.Uint32()), ItemBytesMax, 1))
	}
	return c
}

func decodeNoez(r *wire.Reader) Command {
	c := Noez{Req: r.Uint32()}
	c.Items = make([]NoezItem, decodeCount(r, RequestItemsMax, noezItemBytes))
	for i := range c.Items {
		item := &c.Items[i]
		item.Index, item.Code = r.Uint16(), Code(r.Uint8())
		if item.Code == 0 || item.Code >= CodeBad {
			r.Fail(fmt.Errorf("%w: code %d", ErrField, item.Code))
		}
	}
	return c
}

func decodeIcanhaz(r *wire.Reader) Command {
	return Icanhaz{
		Path:    decodePath(r),
		Options: decodeDictionary(r, headerLimit()),
		Cache:   decodeDictionary(r, cacheLimit()),
	}
}

func decodeCheezburger(r *wire.Reader) Command {
	c := Cheezburger{Sequence: r.Uint64(), Operation: Operation(r.Uint8())}
	if c.Operation != OperationCreate && c.Operation != OperationDelete {
		r.Fail(fmt.Errorf("%w: operation %d", ErrField, c.Operation))
	}
	c.Filename = decodePath(r)
	c.Offset, c.EOF = r.Uint64(), decodeFlag(r)
	c.Headers = decodeDictionary(r, headerLimit())
	c.Chunk = r.Bytes(int(r.Uint32()))
	return c
}

func decodeCount(r *wire.Reader, limit, itemBytes int) int {
	n := r.Count(uint64(r.Uint16()), limit, itemBytes)
	if n == 0 {
		r.Fail(fmt.Errorf("%w: no items", ErrField))
	}
	return n
}

func decodePrio(r *wire.Reader) uint8 {
	prio := r.Uint8()
	if prio > PriorityLowest {
		r.Fail(fmt.Errorf("%w: priority %d", ErrField, prio))
	}
	return prio
}

func decodeFlag(r *wire.Reader) bool {
	octet := r.Uint8()
	if octet > 1 {
		r.Fail(fmt.Errorf("%w: %d is not 0 or 1", ErrField, octet))
	}
	return octet == 1
}

func decodeSpace(r *wire.Reader) zsync.SpaceID {
	text := r.String()
	space, err := zsync.ParseSpaceID(text)
	if err != nil || space.String() != text {
		r.Fail(fmt.Errorf("%w: %q is no space", ErrField, text))
	}
	return space
}

// decodePath refuses every name that could lead out of a directory on any system:
// a stock client follows "/../x" out of its inbox.
func decodePath(r *wire.Reader) string {
	path := r.LongString(pathBytesMax)
	if !utf8.ValidString(path) || strings.ContainsFunc(path, unsafeInPath) {
		r.Fail(fmt.Errorf("%w: path %q", ErrField, path))
	}
	for name := range strings.SplitSeq(path, "/") {
		if name == "." || name == ".." {
			r.Fail(fmt.Errorf("%w: path %q", ErrField, path))
		}
	}
	return path
}

func unsafeInPath(char rune) bool { return char == '\\' || unicode.IsControl(char) }

func decodeTail(r *wire.Reader) Dictionary {
	if r.Err() != nil || len(r.Rest()) == 0 {
		return nil
	}
	return decodeDictionary(r, capsLimit())
}

func decodeDictionary(r *wire.Reader, limit dictionaryLimit) Dictionary {
	d := make(Dictionary, 0, r.Count(uint64(r.Uint32()), limit.pairs, 1+4))
	total := 0
	for range cap(d) {
		pair := Pair{Key: r.String(), Value: r.LongString(limit.valueBytes)}
		total += len(pair.Key) + len(pair.Value)
		if len(pair.Key) > limit.keyBytes || total > limit.totalBytes {
			r.Fail(fmt.Errorf("%w: dictionary", wire.ErrLimit))
		}
		if r.Err() != nil {
			return nil
		}
		d = append(d, pair)
	}
	return d
}
