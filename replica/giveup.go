package replica

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// GiveUp returns the operations that end versions which wait for contents that no
// device has that is here, as the body of the event that the given writer logs next at
// seq; nil where there are none. As after [Replica.Body], [Replica.Logged] follows in
// the same transaction.
//
// Only such versions are given up that somebody has ended before, in an event that lies
// past the cut of its writer: past yields these. Such an event brings back what it
// ended, and that is right where somebody has it; but its author had it no more, and
// where nobody else was given it, all would wait for ever. What a device has that is
// away now goes to its versions area, as it would have without the cut. What has come
// since it was lacking, or lies elsewhere on this disk by now, is not given up.
func (r *Replica) GiveUp(tx kv.Tx, writer zsync.WriterID, seq uint64, lacking []zsync.Digest, past func(yield func(eventlog.Event) bool)) []byte {
	r.drafts = nil
	if !r.mayAuthor() {
		return nil
	}
	over := endedBy(past)
	d := newDrafting(r, tx, writer, seq)
	for _, content := range lacking {
		c := r.contents.by[content]
		if c == nil || r.cameMeanwhile(tx, c) {
			continue
		}
		for _, node := range c.nodes {
			if dots := r.forsaken(tx, node, content, over); len(dots) > 0 {
				d.append(d.dels(node, dots)...)
			}
		}
	}
	return d.body()
}

// cameMeanwhile reports whether a content that was lacking is here; what is, but is not
// staged, is copied from where it is.
func (r *Replica) cameMeanwhile(tx kv.Tx, c *wanted) bool {
	if r.contents.has(c.want.Content) || c.copying {
		return true
	}
	if _, found := r.Locate(tx, c.want.Content); !found {
		return false
	}
	r.contents.seekHere(r, c)
	return true
}

// endedBy returns the versions that some events supersede.
func endedBy(each func(yield func(eventlog.Event) bool)) map[zsync.Dot]bool {
	over := make(map[zsync.Dot]bool)
	each(func(ev eventlog.Event) bool {
		body, err := DecodeBody(ev.Body)
		for i := range body {
			for _, dot := range body[i].Supersedes {
				over[dot] = err == nil
			}
		}
		return true
	})
	return over
}

// forsaken returns the versions of a node with that content that are among those, but
// for those that D has: these may be damaged.
func (r *Replica) forsaken(tx kv.Tx, node uint64, content zsync.Digest, over map[zsync.Dot]bool) (dots []zsync.Dot) {
	if node == pastNode {
		return nil
	}
	for _, h := range r.tree.load(tx, node).heads {
		dot := h.by.dot()
		here := func(d *onDisk) bool { return slices.Contains(d.dots, dot) }
		if h.content == content && over[dot] && !slices.ContainsFunc(r.disk.node(tx, node), here) {
			dots = append(dots, dot)
		}
	}
	slices.SortFunc(dots, zsync.Dot.Compare)
	return dots
}
