package device

import (
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/zre"
)

// Orders to the workers of a folder's disk, each answered by one fact.
type (
	// ListDir is answered by Listed. Urgent orders go before all that are not, here and
	// below.
	ListDir struct {
		Path   zsync.Path
		Urgent bool
	}
	// Listed answers ListDir.
	Listed struct{ Listing store.Listing }
	// HashFiles is answered by Hashed.
	HashFiles struct {
		Jobs   []store.HashJob
		Urgent bool
	}
	// Hashed answers HashFiles.
	Hashed struct{ Results []store.Hashed }
	// StagePieces verifies and writes received data; answered by Staged to the
	// folder and Disposed to the link.
	StagePieces struct {
		Session zre.Conn
		Peer    zsync.DeviceID
		Pieces  []store.Piece
		Cost    int64
		// Release gives back the memory that the pieces lie in; the worker calls each
		// once the pieces are written.
		Release []func()
	}
	// Staged says which pieces are in their staging files.
	Staged struct {
		Pieces []StagedPiece
	}
	// StagedPiece is one piece without its data.
	StagedPiece struct {
		Content zsync.Digest
		Hash    zsync.Digest
		Offset  int64
		Err     error
	}
	// Assemble is answered by Assembled.
	Assemble struct {
		Content zsync.Digest
		Size    int64
		Chunks  []store.Chunk
		From    []store.Source
		Urgent  bool
	}
	// Assembled says which chunks are in the staging file already, and how many of
	// these were there before.
	Assembled struct {
		Content zsync.Digest
		Chunks  []store.Chunk
		Have    []bool
		Resumed int
		Err     error
	}
	// CopyContent is answered by Copied.
	CopyContent struct{ replica.CopyJob }
	// Copied answers CopyContent.
	Copied struct {
		Content zsync.Digest
		Err     error
	}
	// FlushStaged is answered by Flushed.
	FlushStaged struct{}
	// Flushed answers FlushStaged.
	Flushed struct{ Err error }
	// ApplyBatch is answered by Applied.
	ApplyBatch struct{ replica.Batch }
	// Applied answers ApplyBatch.
	Applied struct {
		Batch   replica.Batch
		Results []store.Result
	}
	// ReadSpans is answered by Supply to the link.
	ReadSpans struct {
		Session zre.Conn
		Parts   []SpanPart
	}
	// SpanPart is one item of a ReadSpans.
	SpanPart struct {
		Req    uint32
		Index  uint16
		Span   store.Span
		Offset int64
		Size   uint32
	}
	// UnstageFiles removes staging files that nobody wants; no answer.
	UnstageFiles struct{ Contents []zsync.Digest }
	// Hinted says that directories changed; All that anything may have.
	Hinted struct {
		Dirs    []zsync.Path
		All     bool
		Problem string
	}
)
