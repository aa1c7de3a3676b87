package replica

import (
	"cmp"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// contents are the bytes that nodes wait for, on their way into staging.
type contents struct {
	by          map[zsync.Digest]*wanted
	ofNode      map[uint64][]zsync.Digest
	staged      map[zsync.Digest]uint64 // whole and verified: see flushes
	unfinished  []zsync.Digest          // parts of contents that the last run left in staging
	outstanding int                     // wants and copies that were ordered …
	urgent      int                     // … how many of them are urgent …
	urgentBytes int64                   // … and of how many octets
}

// wanted is a content that some nodes lack.
type wanted struct {
	nodes   []uint64 // ascending
	want    Want
	ordered bool
	copying bool // the order is a Copy
	tried   bool // to copy it; what is left is to fetch it
	urgent  bool // it is ordered though there is no more room
}

// before orders what is asked for at one time: what is urgent, then the small before the
// large, then by who has it, and the newest first.
func (w Want) before(o Want) int {
	return cmp.Or(
		compareBools(o.Urgent, w.Urgent), compareBools(w.Size > bulkBytes, o.Size > bulkBytes),
		w.Author.Compare(o.Author), cmp.Compare(o.MtimeNS, w.MtimeNS),
	)
}

func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func newContents() contents {
	return contents{
		by: map[zsync.Digest]*wanted{}, ofNode: map[uint64][]zsync.Digest{},
		staged: map[zsync.Digest]uint64{},
	}
}

func (cs *contents) has(content zsync.Digest) bool {
	_, staged := cs.staged[content]
	return staged
}

func (cs *contents) full() bool { return cs.outstanding >= WantsMax }

// claim notes what a node lacks now, orders what is not on its way, and reports
// whether all of it is there. What is urgent is ordered beside all else.
func (cs *contents) claim(r *Replica, tx kv.Tx, node uint64, lacks []*version, urgent bool) bool {
	if !cs.claims(node, lacks) {
		digests := make([]zsync.Digest, len(lacks))
		for i, v := range lacks {
			digests[i] = v.content
		}
		cs.releaseOthers(r, node, digests)
		if len(digests) > 0 {
			cs.ofNode[node] = digests
		}
	}
	ready := true
	for _, v := range lacks {
		c := cs.by[v.content]
		if c == nil {
			c = &wanted{want: Want{Content: v.content, Size: v.size, ListLen: v.listLen, Author: v.author, Stamp: v.stamp, MtimeNS: v.mtimeNS}}
			cs.by[v.content] = c
		}
		if i, found := slices.BinarySearch(c.nodes, node); !found {
			c.nodes = slices.Insert(c.nodes, i, node)
		}
		if !cs.has(v.content) {
			ready = false
			c.urgent = c.urgent || urgent && !c.ordered
			cs.order(r, tx, c)
		}
	}
	return ready
}

// claims reports whether it is known that a node lacks just these.
func (cs *contents) claims(node uint64, lacks []*version) bool {
	return slices.EqualFunc(cs.ofNode[node], lacks, func(digest zsync.Digest, v *version) bool { return digest == v.content })
}

// order has a content copied from elsewhere on this disk, or else fetched.
func (cs *contents) order(r *Replica, tx kv.Tx, c *wanted) {
	if c.ordered || cs.full() && !c.urgent {
		return
	}
	c.ordered = true
	cs.count(c, 1)
	c.want.Urgent = c.urgent
	if !c.tried {
		c.tried = true
		if from, found := r.Locate(tx, c.want.Content); found {
			c.copying = true
			r.out.Copy = append(r.out.Copy, CopyJob{Content: c.want.Content, Size: c.want.Size, From: from, Urgent: c.urgent})
			return
		}
	}
	r.out.Want = append(r.out.Want, c.want)
}

// count keeps the count of what is ordered.
func (cs *contents) count(c *wanted, n int) {
	cs.outstanding += n
	if c.urgent {
		cs.urgent += n
		cs.urgentBytes += int64(n) * c.want.Size
	}
}

// again has who still wants a content whose staging file was used up have it
// copied from where it went.
func (cs *contents) again(r *Replica, content zsync.Digest) {
	if c := cs.by[content]; c != nil {
		c.tried = false
		r.plan.ready = append(r.plan.ready, c.nodes...)
	}
}

// seekHere has a content that is being fetched copied from this disk.
func (cs *contents) seekHere(r *Replica, c *wanted) {
	cs.takeBack(r, c)
	cs.again(r, c.want.Content)
	r.more = true
}

// release notes that a node lacks nothing any more.
func (cs *contents) release(r *Replica, node uint64) { cs.releaseOthers(r, node, nil) }

// releaseOthers ends a node's claim to what it no longer lacks.
func (cs *contents) releaseOthers(r *Replica, node uint64, lacks []zsync.Digest) {
	for _, digest := range cs.ofNode[node] {
		c := cs.by[digest]
		if c == nil || slices.Contains(lacks, digest) {
			continue
		}
		if i, found := slices.BinarySearch(c.nodes, node); found {
			c.nodes = slices.Delete(c.nodes, i, i+1)
		}
		if len(c.nodes) == 0 {
			cs.drop(r, digest, c)
		}
	}
	delete(cs.ofNode, node)
}

func (cs *contents) drop(r *Replica, digest zsync.Digest, c *wanted) {
	delete(cs.by, digest)
	if cs.takeBack(r, c) || cs.has(digest) {
		delete(cs.staged, digest)
		r.out.Unstage = append(r.out.Unstage, digest)
	}
}

// takeBack takes back what was ordered of a content, and reports whether there was
// anything. An order of the turn at hand was not given yet, and would be carried out
// after what takes it back.
func (cs *contents) takeBack(r *Replica, c *wanted) bool {
	if !c.ordered {
		return false
	}
	c.ordered = false
	cs.count(c, -1)
	at := slices.IndexFunc(r.out.Want, func(w Want) bool { return w.Content == c.want.Content })
	if at >= 0 {
		r.out.Want = slices.Delete(r.out.Want, at, at+1)
	} else {
		r.out.Unwant = append(r.out.Unwant, c.want.Content)
	}
	return true
}

// giveUp drops the staging files of the last run that nobody wants.
func (cs *contents) giveUp(r *Replica) {
	for _, digest := range slices.SortedFunc(maps.Keys(cs.staged), zsync.Digest.Compare) {
		if cs.by[digest] == nil {
			delete(cs.staged, digest)
			r.out.Unstage = append(r.out.Unstage, digest)
		}
	}
	for _, digest := range cs.unfinished {
		if cs.by[digest] == nil && !cs.has(digest) {
			r.out.Unstage = append(r.out.Unstage, digest)
		}
	}
	cs.unfinished = nil
}

// Staged answers Output.Want and Output.Copy: the content is in staging, or why
// it cannot be.
func (r *Replica) Staged(tx kv.Tx, now time.Time, digest zsync.Digest, err error) {
	r.now = now
	cs := &r.contents
	if c := cs.by[digest]; c != nil && c.ordered {
		c.ordered = false
		cs.count(c, -1)
		r.stagedOne(tx, now, c, err)
		r.more = true // many come at one time, so the work is left to Advance
	} else if err == nil && c == nil {
		r.out.Unstage = append(r.out.Unstage, digest) // nobody wants it any more
	}
}

// Stray says that something came for a content that was taken back with
// Output.Unwant: its staging file is there again, for nobody.
func (r *Replica) Stray(content zsync.Digest) {
	if r.contents.by[content] == nil {
		delete(r.contents.staged, content)
		r.out.Unstage = append(r.out.Unstage, content)
	}
}

func (r *Replica) stagedOne(tx kv.Tx, now time.Time, c *wanted, err error) {
	digest, copying := c.want.Content, c.copying
	c.copying = false
	switch {
	case err == nil:
		r.problems.clear("", "fetch")
		r.problems.clear("", CodeSpace)
		r.problems.clear("", CodeDisk)
		r.stage(digest)
		r.plan.come(c)
	case errors.Is(err, store.ErrNoSpace):
		c.tried = c.tried && !copying // what is to be copied is still there
		r.problems.set("", CodeSpace, store.ExplainOne(err))
		r.plan.sleep(now)
	case copying:
		r.lostSource(tx, now, digest)
		r.contents.order(r, tx, c)
	default:
		for _, node := range c.nodes {
			r.plan.rest(now, node)
		}
		r.problems.set("", fetchProblem(err), store.ExplainOne(err))
	}
}

// endFetchTrouble: whose fetching failed is not wanted any more.
func (r *Replica) endFetchTrouble() {
	if len(r.contents.by) == 0 {
		r.problems.clear("", "fetch")
		r.problems.clear("", CodeSpace)
		r.problems.clear("", CodeDisk)
	}
}

// lostSource: what D or the versions area was said to hold could not be copied.
func (r *Replica) lostSource(tx kv.Tx, now time.Time, digest zsync.Digest) {
	switch from, found := r.Locate(tx, digest); {
	case found && from.Area == store.InTree:
		tx.Delete(bucketAside, keptOfKey(digest, string(from.Path)))
		r.scan.hintSoon(now, from.Path.Dir())
	case found && from.Area == store.InVersions:
		r.dropKept(tx, digest, from.Kept)
	}
}
