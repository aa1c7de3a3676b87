package replica

import (
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/zsync/zsync"
)

// The limits of an fs event's body (docs/formats.md section 2).
const (
	BodyOpsMax    = 1000      // operations in one body
	BodyBytesMax  = 256 << 10 // octets of one body
	SupersedesMax = 64        // dots that one operation supersedes

	modeMask   = 0o777
	listLenMax = 600 << 10 // a full list node of 16,384 entries has 589,846 octets
)

// ErrBody is wrapped by every error about an fs event's body. Such an event
// folds as if its body were empty, on every device alike.
var ErrBody = errors.New("malformed fs body")

// OpKind says what an [Op] does. Numbers are format.
type OpKind uint8

// The operations of an fs event.
const (
	OpPut  OpKind = 1 // writes a version of a node, and may create the node
	OpDel  OpKind = 2 // removes versions
	OpMove OpKind = 3 // gives a node another place
	OpAttr OpKind = 4 // writes a node's mode
)

// Create says whether a Put makes its node, and so how the node is named.
// Numbers are format.
type Create uint8

// The ways to name the node of a Put.
const (
	CreateNone    Create = 0 // an edit: Op.Node names the node
	CreateDerived Create = 1 // the node id follows from parent and name
	CreateFresh   Create = 2 // the node id follows from event and index
)

// Op is one operation of an fs event. Each field names the operations that it
// belongs to; in the others it is zero.
type Op struct {
	Kind       OpKind
	Create     Create         // Put
	Node       zsync.NodeID   // all; zero exactly in a Put that creates
	Parent     zsync.NodeID   // Put, Move; of an edit, a hint should the node be unknown
	Name       zsync.Name     // Put, Move
	Type       zsync.FileType // Put, Move: a file, directory or symlink
	Content    zsync.Digest   // Put, Move; zero for a directory, SHA-256(Target) for a symlink
	Size       int64          // Put, Move of a file, in octets
	ListLen    uint32         // Put, Move of a file: octets of its root list node; 0 up to zsync.ContentChunkMax
	MtimeNS    int64          // Put, Move of a file or symlink: nanoseconds since 1970 UTC
	HasMode    bool           // Put; always true in an Attr
	Mode       uint32         // Put with HasMode, Attr: the 0777 bits
	Target     string         // Put, Move of a symlink: 1 to zsync.SymlinkBytesMax octets
	Supersedes []zsync.Dot    // Put, Move; at least one in a Del. Ascending; a zero Event is this event
}

// Body is what an fs event says, in the order in which it says it: 1 to
// [BodyOpsMax] operations.
type Body []Op

// check reports what no reader would accept of op.
func (op *Op) check() error {
	switch op.Kind {
	case OpPut:
		return errors.Join(op.checkNode(op.Create == CreateNone), op.checkMode(op.HasMode), op.checkVersion(), op.checkDots(0, SupersedesMax))
	case OpDel:
		return errors.Join(op.checkNode(true), op.checkMode(false), op.checkDots(1, SupersedesMax))
	case OpMove:
		return errors.Join(op.checkNode(true), op.checkMode(false), op.checkVersion(), op.checkDots(0, SupersedesMax))
	case OpAttr:
		return errors.Join(op.checkNode(true), op.checkMode(true), op.checkDots(0, 0))
	default:
		return fmt.Errorf("%w: operation %d", ErrBody, op.Kind)
	}
}

// checkNode: the root is no node that an operation could change.
func (op *Op) checkNode(named bool) error {
	if op.Node.IsZero() == named || op.Create > CreateFresh || op.Kind != OpPut && op.Create != CreateNone {
		return fmt.Errorf("%w: node %v with create %d", ErrBody, op.Node, op.Create)
	}
	return nil
}

func (op *Op) checkMode(has bool) error {
	if has != op.HasMode || op.Mode > modeMask || !has && op.Mode != 0 {
		return fmt.Errorf("%w: mode %#o", ErrBody, op.Mode)
	}
	return nil
}

func (op *Op) checkVersion() error {
	if _, err := zsync.ParseName(string(op.Name)); err != nil {
		return fmt.Errorf("%w: %w", ErrBody, err)
	}
	fits := false
	switch op.Type {
	case zsync.TypeFile:
		fits = op.Target == "" && op.checkFile()
	case zsync.TypeDir:
		fits = op.Content.IsZero() && op.Size == 0 && op.ListLen == 0 && op.MtimeNS == 0 && op.Target == ""
	case zsync.TypeSymlink:
		fits = op.Size == 0 && op.ListLen == 0 && op.Target != "" && len(op.Target) <= zsync.SymlinkBytesMax &&
			op.Content == sha256.Sum256([]byte(op.Target))
	}
	if !fits {
		return fmt.Errorf("%w: content %v of %d octets (list %d) as type %d", ErrBody, op.Content, op.Size, op.ListLen, op.Type)
	}
	return nil
}

func (op *Op) checkFile() bool {
	listed := op.Size > zsync.ContentChunkMax
	return op.Size >= 0 && (op.Size == 0) == (op.Content == zsync.EmptyContent) && !op.Content.IsZero() &&
		(op.ListLen > 0) == listed && op.ListLen <= listLenMax
}

func (op *Op) checkDots(least, most int) error {
	if n := len(op.Supersedes); n < least || n > most {
		return fmt.Errorf("%w: supersedes %d versions", ErrBody, n)
	}
	for i, dot := range op.Supersedes {
		if dot.Index >= BodyOpsMax || i > 0 && op.Supersedes[i-1].Compare(dot) >= 0 {
			return fmt.Errorf("%w: superseded dots out of range or order", ErrBody)
		}
	}
	return nil
}

const (
	bodyHeadBytesMax = 16  // map, two keys, two array heads
	opBytesMax       = 128 // all of an op but name, target and dots
	dotBytesMax      = 7 + 34
)

// bytesMax is the most that op can add to an encoded body. A body whose sum
// and bodyHeadBytesMax are within BodyBytesMax fits.
func (op *Op) bytesMax() int {
	return opBytesMax + len(op.Name) + len(op.Target) + dotBytesMax*len(op.Supersedes)
}
