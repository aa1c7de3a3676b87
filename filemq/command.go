package filemq

import "github.com/zsync/zsync"

// Command is one frame of the protocol. The types that implement it are all in
// this file.
type Command interface {
	// size returns the octets of the encoded frame.
	size() int
	// appendTo appends the encoded frame.
	appendTo(frame []byte) []byte
}

// id is a frame's third octet. Numbers are format: docs/formats.md section 5.
type id uint8

const (
	idOhai        id = 0x01
	idOhaiOK      id = 0x04
	idIcanhaz     id = 0x05
	idIcanhazOK   id = 0x06
	idNom         id = 0x07
	idCheezburger id = 0x08
	idHugz        id = 0x09
	idHugzOK      id = 0x0A
	idKthxbai     id = 0x0B
	idGimme       id = 0x20
	idBukkit      id = 0x21
	idNoez        id = 0x22
	idNvm         id = 0x23
	idBump        id = 0x24
	idSrsly       id = 0x80
	idRtfm        id = 0x81
)

// The commands that 35/FILEMQ and the extension share.
type (
	// Ohai is the greeting of the end that dialled. Caps is nil when the peer
	// knows no extension.
	Ohai struct {
		Protocol string // "FILEMQ"
		Version  uint16 // 2
		Caps     Dictionary
	}
	// OhaiOK accepts an Ohai.
	OhaiOK struct{ Caps Dictionary }
	// Nom grants credit. Sequence counts the NOMs before this one.
	Nom struct{ Credit, Sequence uint64 }
	// Hugz asks whether the peer is alive.
	Hugz struct{}
	// HugzOK says so.
	HugzOK struct{}
	// Kthxbai ends a session.
	Kthxbai struct{}
	// Srsly refuses a peer that is not served here.
	Srsly struct{ Reason string }
	// Rtfm ends a session with a peer that broke the protocol.
	Rtfm struct{ Reason string }
)

// The commands of the extension.
type (
	// Gimme asks for 1 to RequestItemsMax items. Req is above that of every
	// Gimme before it.
	Gimme struct {
		Req      uint32
		Prio     uint8
		Compress bool // items may come compressed
		Lists    bool // items are nodes of Of's list; Of is not zero then
		Space    zsync.SpaceID
		Of       zsync.Digest
		Items    []Item
	}
	// Bukkit carries 1 to 256 items of one request.
	Bukkit struct {
		Req   uint32
		Items []BukkitItem
	}
	// BukkitItem is one item's data, which aliases the frame it came in.
	BukkitItem struct {
		Index      uint16
		Compressed bool // zstd
		Data       []byte
	}
	// Noez says which items of one request do not come, and why.
	Noez struct {
		Req   uint32
		Items []NoezItem
	}
	// NoezItem is one item that does not come.
	NoezItem struct {
		Index uint16
		Code  Code
	}
	// Nvm cancels a request: each of its items that was not sent is answered by
	// a NOEZ. Req FFFFFFFF is all of them.
	Nvm struct{ Req uint32 }
	// Bump gives a request another priority.
	Bump struct {
		Req  uint32
		Prio uint8
	}
)

// The commands of FILEMQ that the extension replaces, as the C code has them.
type (
	// Icanhaz subscribes to the files below a path.
	Icanhaz struct {
		Path    string
		Options Dictionary
		Cache   Dictionary // file name to SHA-1, in hexadecimal
	}
	// IcanhazOK accepts an Icanhaz.
	IcanhazOK struct{}
	// Cheezburger is one chunk of a file, or news of it. A file ends with a chunk
	// of no octets and EOF; in a delete, all but the name is to be ignored.
	Cheezburger struct {
		Sequence  uint64
		Operation Operation
		Filename  string
		Offset    uint64
		EOF       bool
		Headers   Dictionary
		Chunk     []byte // aliases the frame it came in
	}
	// Operation is what a Cheezburger does.
	Operation uint8
)

// The operations of a Cheezburger.
const (
	OperationCreate Operation = 1
	OperationDelete Operation = 2
)

// Pair is one entry of a Dictionary: a key of at most 255 octets, and a value.
type Pair struct{ Key, Value string }

// Dictionary is a list of pairs in the order of the frame. Of pairs with one key
// the first counts.
type Dictionary []Pair

// Value returns what key stands for.
func (d Dictionary) Value(key string) (value string, ok bool) {
	for _, pair := range d {
		if pair.Key == key {
			return pair.Value, true
		}
	}
	return "", false
}
