package store

import (
	"errors"

	"github.com/zsync/zsync"
)

// Stat is what a directory entry says of itself. A file whose Stat is the same
// as when it was hashed has the same bytes, as far as any sync tool can tell
// without reading it.
type Stat struct {
	Type    zsync.FileType
	Size    int64  // octets
	MtimeNS int64  // nanoseconds since 1970 UTC
	CtimeNS int64  // nanoseconds since 1970 UTC
	BirthNS int64  // 0 where the file system does not tell
	Inode   uint64 // with BirthNS, the identity of a file that was renamed
	Mode    uint32 // the 0777 bits
}

// Unchanged reports whether an entry that was o is, by all that can be told, still
// the same bytes under the same name.
func (s Stat) Unchanged(o Stat) bool {
	return s.SameFile(o) && s.CtimeNS == o.CtimeNS
}

// SameFile is [Stat.Unchanged] but for the ctime, which a rename, a link and a
// chmod change too.
func (s Stat) SameFile(o Stat) bool {
	return s.Type == o.Type && s.Inode == o.Inode && s.BirthNS == o.BirthNS &&
		(s.Type == zsync.TypeDir || s.Size == o.Size && s.MtimeNS == o.MtimeNS)
}

// Entry is one name in a directory. Target is set for a symlink. Nested is set for
// a directory that is the root of a folder of its own, which is that one's alone:
// [Root.List] of it is ErrNested, and so is any Change in it.
type Entry struct {
	Name   string // as the disk has it; not yet a zsync.Name
	Stat   Stat
	Target string
	Nested bool
}

// Listing is one directory as it was read: entries ascending by name, the
// private directory left out. Err is set when the directory could not be read
// to its end: then nothing may be concluded from what is missing. Gone is set
// when it does not exist (or is no directory). What is in a folder of its own is not
// listed: Err is ErrNested.
type Listing struct {
	Path    zsync.Path
	Self    Stat
	Entries []Entry
	Gone    bool
	Err     error
}

// HashJob asks for the content of one file, if its Stat is still Old.
type HashJob struct {
	Path zsync.Path
	Old  Stat
	// Closed: not while a process has the file open to write, which is ErrOpen.
	Closed bool
}

// Hashed is a file's content. Err is ErrChanged or ErrGone when the file did
// not hold still, another error when it could not be read. Young is set when
// the file changed less than two seconds ago by the file system's own clock: a
// later change may then leave the same Stat, so it is to be hashed again.
type Hashed struct {
	Path    zsync.Path
	Stat    Stat
	Content zsync.Digest
	List    []ListNode // root last; empty up to zsync.ContentChunkMax
	Young   bool
	Err     error
}

// ListNode is one encoded node of a large content's list.
type ListNode struct {
	Hash zsync.Digest
	Data []byte
}

// Op says what a Change does.
type Op uint8

// The operations on a folder's tree. Each does nothing, and says ErrDiverged,
// where the disk is not as the Change expects.
const (
	OpMkdir   Op = iota + 1 // make directory Path
	OpPlace                 // put the staged Content at Path
	OpSymlink               // make symlink Path -> Target
	OpRename                // move From to Path, where nothing may be
	OpRemove                // move the file or symlink at Path to the versions area
	OpRmdir                 // remove the empty directory Path
	OpAttr                  // set Mode and MtimeNS of Path

	opBringBack // move the kept file From to Path, where nothing may be
)

// Change is one step of a batch. Old is what must be there now: at From for
// OpRename, else at Path; nil means that nothing may be there. What stands in
// the way of OpPlace or OpSymlink as expected goes to the versions area; it is a
// file or a symlink, never a directory. Path and From of OpRename alone may also
// lie in [ParkedDir].
type Change struct {
	Op      Op
	Path    zsync.Path
	From    zsync.Path
	Old     *Stat
	Content zsync.Digest // OpPlace: which staging file; the last OpPlace of a batch consumes it
	Size    int64        // OpPlace
	Mode    uint32       // OpMkdir, OpPlace, OpAttr
	MtimeNS int64        // OpPlace, OpSymlink, OpAttr on files and symlinks
	Target  string       // OpSymlink
}

// Result is what became of a Change. Stat is Path's own afterwards (zero after a
// removal). Kept names the old bytes in the versions area, "" when there were
// none, and KeptStat is what they were at the end of the batch: not SameFile as
// Old, and someone who holds the file open wrote to it after it was moved. Err nil
// means: done, and durable once Apply has returned.
//
// Err is ErrDiverged where the disk was not as expected; ErrGone where the content
// is not (wholly) in staging, so that it has to be staged again; ErrRoot for every
// Change of the batch when the folder is not there; else why it could not be done.
type Result struct {
	Stat     Stat
	Kept     string
	KeptStat Stat
	Err      error
}

// ParkedDir is where OpRename may put what is between two names, as when two files
// trade theirs. Its entries are not listed, and stay until they are moved on.
const ParkedDir = zsync.Path(zsync.PrivateDir + "/parked")

// Area says where under the root a Span lies.
type Area uint8

// The places that hold bytes of a folder.
const (
	InTree Area = iota
	InVersions
	InStaging
)

// Span is where some bytes can be read: a file and the Stat that it must still
// have. For InVersions, Kept is the name that a Result gave; for InStaging, the
// file is that of Content.
type Span struct {
	Area    Area
	Path    zsync.Path
	Kept    string
	Content zsync.Digest
	Stat    Stat
}

// Chunk is one piece of a large content.
type Chunk struct {
	Hash   zsync.Digest
	Offset int64
	Size   int
}

// Source says that the chunk numbered Index can be copied from Span at Offset.
type Source struct {
	Index  int
	Span   Span
	Offset int64
	// Guess is not 0 where the chunk may lie there, and nobody knows: of the sources
	// with one number, those behind the first that is wrong are left alone.
	Guess int
}

// Piece is received data on its way to the staging file of Content.
type Piece struct {
	Content zsync.Digest
	Size    int64 // of the whole content
	Hash    zsync.Digest
	Offset  int64
	Data    []byte
}

var (
	// ErrDiverged: the disk is not as the change expected; a scan will tell why.
	ErrDiverged = errors.New("file changed since it was scanned")
	// ErrChanged: the file changed while it was read.
	ErrChanged = errors.New("file changed while it was read")
	// ErrOpen: a process may have the file open to write.
	ErrOpen = errors.New("file may be open to write")
	// ErrGone: there is no such file any more.
	ErrGone = errors.New("file is gone")
	// ErrCorrupt: received or staged bytes do not have the digest that names them.
	ErrCorrupt = errors.New("bytes do not match their digest")
	// ErrRoot: the folder's root is missing, replaced, or not the one it was.
	ErrRoot = errors.New("the folder's root is not the one that was watched")
)
