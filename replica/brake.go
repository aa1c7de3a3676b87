package replica

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// The limits of the brake: how many files one device may delete or replace in a day
// before a person is asked. The greater one holds.
const (
	brakeFiles   = 50
	brakePercent = 20
	brakeDay     = 24 * time.Hour // of running time of this copy
)

// brake holds back what would take too much out of the visible tree at one time,
// until a person confirms it. What this device found is not logged then; what
// others logged is folded into L, and not carried out on this disk.
type brake struct {
	ran     RunningTime
	count   uint64  // holds so far
	holds   []*hold // ascending by author
	tally   map[zsync.DeviceID]int
	touched map[zsync.DeviceID]bool // authors who had something counted in this turn
	stirred bool                    // something held back may have ended
	due     []Confirm               // to be logged
}

// hold is one author's changes that wait for a person.
type hold struct {
	ID       string         `cbor:"1,keyasint"`
	Author   zsync.DeviceID `cbor:"2,keyasint"`
	Deletes  int            `cbor:"3,keyasint"`
	Replaces int            `cbor:"4,keyasint"`
	Of       int            `cbor:"5,keyasint"`
	Passing  bool           `cbor:"6,keyasint"` // a person has confirmed it; it is being logged
	Confirm  *Confirm       `cbor:"7,keyasint"` // up to where it was logged
}

var (
	keyRan   = []byte("ran")
	keyCount = []byte("count")
	keyHold  = []byte("hold")
)

// openBrake reads what was counted and held back.
func openBrake(tx kv.Tx) (b brake, err error) {
	b = brake{tally: map[zsync.DeviceID]int{}, touched: map[zsync.DeviceID]bool{}}
	if value := tx.Get(bucketBrake, keyRan); len(value) == 8 {
		b.ran.Total = time.Duration(binary.BigEndian.Uint64(value))
	}
	if value := tx.Get(bucketBrake, keyCount); len(value) == 8 {
		b.count = binary.BigEndian.Uint64(value)
	}
	kv.ScanPrefix(tx, bucketBrake, keyHold, func(_, value []byte) bool {
		h := &hold{}
		if err = wire.Unmarshal(value, h); err != nil {
			err = fmt.Errorf("replica: what is held back: %w", err)
			return false
		}
		b.holds, b.stirred = append(b.holds, h), true
		return true
	})
	eachLeft(tx, func(_ uint64, l left) bool {
		b.tally[l.author]++
		return true
	})
	return b, err
}

func (b *brake) saveRan(tx kv.Tx) {
	tx.Put(bucketBrake, keyRan, binary.BigEndian.AppendUint64(nil, uint64(b.ran.Total)))
}

// hold returns what is held back of an author, or nil.
func (b *brake) hold(author zsync.DeviceID) *hold {
	for _, h := range b.holds {
		if h.Author == author {
			return h
		}
	}
	return nil
}

// begin holds an author's changes back. Its id is said by nobody else's hold.
func (b *brake) begin(tx kv.Tx, space zsync.SpaceID, h *hold) {
	b.count++
	tx.Put(bucketBrake, keyCount, binary.BigEndian.AppendUint64(nil, b.count))
	sum := sha256.Sum256(fmt.Appendf(nil, "zsync/held/1 %s %s %d", space, h.Author, b.count))
	h.ID = fmt.Sprintf("c%x", sum[:2])
	b.holds = append(b.holds, h)
	slices.SortFunc(b.holds, func(x, y *hold) int { return x.Author.Compare(y.Author) })
	b.keep(tx, h)
	b.saveRan(tx)
}

func holdKey(author zsync.DeviceID) []byte { return append(bytes.Clone(keyHold), author[:]...) }

func (b *brake) keep(tx kv.Tx, h *hold) { tx.Put(bucketBrake, holdKey(h.Author), wire.Marshal(h)) }

func (b *brake) drop(tx kv.Tx, h *hold) {
	b.holds = slices.DeleteFunc(b.holds, func(o *hold) bool { return o == h })
	tx.Delete(bucketBrake, holdKey(h.Author))
}

// brakeLimit is how many of so many files may go in a day.
func brakeLimit(files int) int { return max(brakeFiles, files*brakePercent/100) }

// brakeOn judges what others have logged since the last turn, and what is held back.
// It comes before anything is planned.
func (r *Replica) brakeOn(tx kv.Tx, now time.Time) {
	b := &r.brake
	b.ran.Count(now)
	authors := slices.SortedFunc(maps.Keys(b.touched), zsync.DeviceID.Compare)
	clear(b.touched)
	if b.stirred {
		for _, h := range b.holds {
			authors = append(authors, h.Author)
		}
		b.stirred = false
	}
	for _, author := range authors {
		if author != r.cfg.Device && (b.hold(author) != nil || b.tally[author] > brakeLimit(int(r.disk.totals.files))) {
			r.judge(tx, author)
		}
	}
}

// judge holds back what an author has logged, or lets it go.
func (r *Replica) judge(tx kv.Tx, author zsync.DeviceID) {
	b := &r.brake
	h := b.hold(author)
	c := r.weigh(tx, author, h != nil)
	switch over := c.left > brakeLimit(c.files); {
	case h == nil && over && c.pending() > 0:
		b.begin(tx, r.cfg.Space, &hold{Author: author, Deletes: c.deletes, Replaces: c.replaces, Of: c.files})
		if r.batch.state == batchOpen && len(r.batch.steps) > 0 {
			r.abandonBatch()
		}
	case h == nil:
	case over && c.pending() > 0:
		if h.Deletes != c.deletes || h.Replaces != c.replaces {
			h.Deletes, h.Replaces = c.deletes, c.replaces
			b.keep(tx, h)
		}
	default:
		b.drop(tx, h)
		r.plan.lower(0)
	}
}

// weighed is what an author has taken out of the visible tree, and would.
type weighed struct {
	left              int // in a day, or since it is held back
	deletes, replaces int // of these, what this disk still has
	files             int // of the folder, before
}

func (w weighed) pending() int { return w.deletes + w.replaces }

// weigh counts exactly. What is too old, or can be seen elsewhere in the tree, is
// forgotten; what is held back does not grow old.
func (r *Replica) weigh(tx kv.Tx, author zsync.DeviceID, held bool) (w weighed) {
	w.files = int(r.disk.totals.files)
	seen := r.awaited(tx)
	var keep []uint64
	old := map[uint64]bool{}
	var contents []zsync.Digest
	eachLeft(tx, func(node uint64, l left) bool {
		if l.author == author {
			keep, contents = append(keep, node), append(contents, l.content)
			old[node] = !held && l.at+brakeDay <= r.brake.ran.Total
		}
		return true
	})
	for i, node := range keep {
		if old[node] || seen.has(tx, contents[i]) {
			tx.Delete(bucketLeft, nodeKey(node))
			r.brake.tally[author]--
			continue
		}
		losing := r.losing(tx, node)
		w.left++
		switch {
		case len(losing) == 0 && len(r.disk.node(tx, node)) == 0:
			w.files++ // it was one of the folder's
		case len(losing) == 0:
		case r.tree.load(tx, node).visible():
			w.replaces++
		default:
			w.deletes++
		}
	}
	return w
}

// losing returns what this disk has of a node and would have no more.
func (r *Replica) losing(tx kv.Tx, node uint64) (files []*onDisk) {
	pairs, rest := matched(r.tree.look(tx, node).targets(node), r.disk.node(tx, node))
	for _, p := range pairs {
		if p.from != nil && !p.sameContent(p.from) {
			rest = append(rest, p.from)
		}
	}
	return slices.DeleteFunc(rest, func(d *onDisk) bool { return d.kind == zsync.TypeDir })
}

// brakeDone notes that what was held back of a node may be so no more.
func (r *Replica) brakeDone(tx kv.Tx, node uint64) {
	if len(r.brake.holds) == 0 {
		return
	}
	_, counted := getLeft(tx, node)
	r.brake.stirred = r.brake.stirred || counted
}

// heldBack reports whether a node is not to be touched before a person confirms.
func (r *Replica) heldBack(tx kv.Tx, node uint64) bool {
	if len(r.brake.holds) == 0 {
		return false
	}
	l, counted := getLeft(tx, node)
	if !counted || l.author == r.cfg.Device || r.brake.hold(l.author) == nil {
		return false
	}
	return len(r.losing(tx, node)) > 0
}

// sight is what can be seen somewhere in the tree.
type sight struct {
	replica *Replica
	coming  map[zsync.Digest]bool // contents of nodes that this disk has otherwise yet
}

// awaited gathers the contents that are on their way to this disk.
func (r *Replica) awaited(tx kv.Tx) sight {
	s := sight{r, map[zsync.Digest]bool{}}
	look := func(key, _ []byte) bool {
		node := binary.BigEndian.Uint64(key)
		for _, t := range r.tree.look(tx, node).targets(node) {
			if t.version != nil {
				s.coming[t.version.content] = true
			}
		}
		return true
	}
	tx.Scan(bucketTodo, nil, look)
	for node := range r.tree.dirty.fresh {
		look(nodeKey(node), nil)
	}
	tx.Scan(bucketDirty, nil, look)
	return s
}

// has reports whether a content is to be seen, by the log.
func (s sight) has(tx kv.Tx, content zsync.Digest) (found bool) {
	if s.coming[content] {
		return true
	}
	s.replica.disk.withContent(tx, content, func(o *onDisk) bool {
		found = s.replica.shows(tx, o.key.node, o)
		return !found
	})
	return found
}
