package replica

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// DamageState says what became of a damaged file.
type DamageState string

// What became of a damaged file.
const (
	DamageFetching DamageState = "fetching" // the good bytes are on their way, or waited for
	DamageRepaired DamageState = "repaired" // the damaged bytes are in the versions area
	DamageHeld     DamageState = "held"     // left as it is: there are too many
	DamageOverdue  DamageState = "changed"  // it was changed or removed since
	DamageRole     DamageState = "role"     // this device carries nothing out
)

// Damage is a file that has other bytes than those that D knows it to have, though
// its size, times and inode are as they were: so no program has written it.
type Damage struct {
	Path    zsync.Path
	Content zsync.Digest // that it should have
	Size    int64
	State   DamageState
	Kept    string // repaired: the name of the damaged bytes in the versions area

	key diskKey
	bad zsync.Digest // that it has; zero where the disk cannot read it
}

func (r *Replica) damageState(tx kv.Tx, damage *Damage) DamageState {
	switch d := r.disk.get(tx, damage.key); {
	case damage.State != DamageFetching:
		return damage.State
	case d == nil:
		return DamageOverdue
	case d.content == damage.Content:
		return DamageRepaired
	case d.content != damage.bad:
		return DamageOverdue
	}
	return DamageFetching
}

// damaged takes a file for damaged: its bytes are others, twice the same, and nothing
// that it says of itself has changed since they were read first.
func (r *Replica) damaged(tx kv.Tx, d *onDisk, path zsync.Path, h store.Hashed) {
	s := &r.scrub
	damage := Damage{Path: path, Content: d.content, Size: d.stat.Size, State: DamageFetching, key: d.key, bad: h.Content}
	s.status.Damaged++
	switch {
	case !r.cfg.Applies:
		damage.State = DamageRole
	case !s.order.Anyway && s.tooMany():
		s.status.Held, damage.State = true, DamageHeld
	default:
		r.spoil(tx, d, h)
	}
	s.tell(damage)
}

func (s *scrub) tell(damage Damage) {
	if len(s.status.Damage) < damageLinesMax {
		s.status.Damage = append(s.status.Damage, damage)
	}
}

// tooMany reports whether so many files are damaged that it may be the memory, or the
// wrong disk: what they hold now would push older versions out of the versions area.
func (s *scrub) tooMany() bool {
	return s.status.Damaged > brakeFiles && s.status.Damaged*100 > s.status.Seen*brakePercent
}

// spoil has D say what a damaged file holds, while it goes on to name the versions
// that were put there. So L wants other bytes there than this disk has, and they are
// fetched and put in place like any: the damaged ones go to the versions area. Nothing
// of it is an operation of the user's, and nothing is logged.
func (r *Replica) spoil(tx kv.Tx, d *onDisk, h store.Hashed) {
	r.KeepList(tx, h.Content, h.List)
	d = d.clone()
	d.content, d.listLen = h.Content, 0
	if n := len(h.List); n > 0 {
		d.listLen = uint32(len(h.List[n-1].Data))
	}
	r.disk.put(tx, d)
	r.settle(tx, d.key.node)
}

// meant returns the version that was put on this disk as d, where d holds it no more:
// it was damaged. It is nil where d is as it should be, or only behind.
func (r *Replica) meant(tx kv.Tx, d *onDisk) *version {
	if d.kind != zsync.TypeFile {
		return nil
	}
	for _, h := range r.tree.load(tx, d.key.node).heads {
		if !h.weak && h.kind == d.kind && h.content != d.content && slices.Contains(d.dots, h.by.dot()) {
			v := h.version()
			return &v
		}
	}
	return nil
}

// CodeDamaged is the [Problem] of a file that holds other bytes than it was given, and
// nobody wrote them.
const CodeDamaged = "damaged"

const whyDamaged = "its bytes on this disk are not those that were written, and no program wrote others; it is put right as soon as a device has the good ones"

// noteDamage tells of the files among these that wait for their good bytes.
func (r *Replica) noteDamage(tx kv.Tx, pairs []pair) {
	for _, p := range pairs {
		if p.from == nil || p.sameContent(p.from) || r.meant(tx, p.from) == nil {
			continue
		}
		if path, found := r.disk.path(tx, p.from.place); found {
			r.problems.set(path, CodeDamaged, whyDamaged)
		}
	}
}

// clearDamage takes that back.
func (r *Replica) clearDamage(tx kv.Tx, d *onDisk) {
	if len(r.problems.why) == 0 || d == nil {
		return
	}
	if path, found := r.disk.path(tx, d.place); found {
		r.problems.clear(path, CodeDamaged)
	}
}

// kept notes where damaged bytes went.
func (s *scrub) kept(before *onDisk, kept string) {
	for i := range s.status.Damage {
		if d := &s.status.Damage[i]; d.key == before.key && d.bad == before.content {
			d.Kept = kept
		}
	}
}
