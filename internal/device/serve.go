package device

import (
	"errors"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
)

// serve answers what a session's peer asks of this folder. Lists come from the
// database at once; bytes are read by a disk worker from where the replica knows
// them to be. A device that is no member is answered as if nothing were here.
func (f *FolderMachine) serve(tx kv.Tx, in Serve) {
	member := f.space.members.Right(tx, in.Peer) != security.RightNone
	spans := ReadSpans{Session: in.Session}
	answers := Supply{Session: in.Session}
	var last zsync.Digest
	var span store.Span
	for _, q := range in.Reads {
		content := q.Of
		if content.IsZero() {
			content = q.Hash
		}
		if member && q.Lists {
			if data, ok := f.replica.ListNode(tx, content, q.Hash); ok {
				answers.Parts = append(answers.Parts, SupplyPart{Req: q.Req, Index: q.Index, Data: data})
				continue
			}
			f.replica.Relist(tx, content)
		}
		if member && !q.Lists && content != last {
			var found bool
			if span, found = f.replica.Locate(tx, content); found {
				last = content
			} else {
				last = zsync.Digest{}
			}
		}
		if !member || q.Lists || content != last {
			answers.Parts = append(answers.Parts, SupplyPart{Req: q.Req, Index: q.Index, Code: filemq.CodeAbsent})
			continue
		}
		spans.Parts = append(spans.Parts, SpanPart{Req: q.Req, Index: q.Index, Span: span, Offset: q.Offset, Size: q.Size})
	}
	if len(answers.Parts) > 0 {
		f.space.emit(Address{Part: Link}, answers)
	}
	if len(spans.Parts) > 0 {
		f.space.emit(Address{Part: Disk, Space: f.cfg.Space}, spans)
	}
}

func isCorrupt(err error) bool { return errors.Is(err, store.ErrCorrupt) }
