package sim

import (
	"time"
)

// Nemesis lets everything go wrong that its Kinds allow, and ends it after a while.
type Nemesis struct {
	World  *World
	Ledger *Ledger
	Kinds  map[Fault]bool
	images map[*Node]*image
	over   bool             // until the next Strike
	parked map[*Node]*image // the originals of the devices whose clones run
}

// NewNemesis returns one that does all there is; what the devices have now is what
// they go back to at first.
func NewNemesis(w *World, l *Ledger) *Nemesis {
	e := &Nemesis{
		World: w, Ledger: l, Kinds: make(map[Fault]bool),
		images: make(map[*Node]*image), parked: make(map[*Node]*image),
	}
	for _, kind := range Faults() {
		e.Kinds[kind] = true
	}
	for _, n := range w.Nodes {
		e.images[n] = n.image(true)
	}
	return e
}

// Strike lets one thing go wrong now and then, called between any two things that
// people do.
func (e *Nemesis) Strike() {
	w := e.World
	e.over = false
	if e.Kinds[OtherClock] {
		w.Skew = skewMax
	}
	if w.random.IntN(2) == 0 {
		kinds := Faults()
		if kind := kinds[w.random.IntN(len(kinds))]; e.Kinds[kind] {
			e.do(kind, w.Nodes[w.random.IntN(len(w.Nodes))])
		}
	}
	w.rouse(time.Second + time.Duration(w.random.Int64N(int64(2*time.Second))))
}

// GoBack puts something else in the place of what some device has, which is rare in
// the middle of all the rest: it takes a device that has told others all it knows.
func (e *Nemesis) GoBack() {
	e.over = false
	kinds := []Fault{Restore, RestoreImage, RestoreAll, LostDatabase, Clone}
	if kind := kinds[e.World.random.IntN(len(kinds))]; e.Kinds[kind] {
		e.replace(kind, e.World.Nodes[e.World.random.IntN(len(e.World.Nodes))], toldTries)
	}
}

const skewMax = 10 * 365 * 24 * time.Hour

// woeLasts is how long most of what is wrong stays so.
// toldTries is how many seconds a device has to tell what it knows.
const toldTries = 20

const woeLasts = 3 * time.Second

// do begins one thing.
func (e *Nemesis) do(kind Fault, n *Node) {
	w := e.World
	switch kind {
	case PowerCut:
		e.cutPower(n)
	case Kill, OtherClock: // a start has another clock
		n.Kill()
	case Partition:
		e.partition(n)
	case Loss:
		e.forAWhile(func(on int) { w.Lossy = 20 * on })
	case Duplication:
		e.forAWhile(func(on int) { w.Echo = 30 * on })
	case Reordering:
		e.forAWhile(func(on int) { w.Jumble = 20 * on })
	case DatabaseError:
		n.RefuseCommit(1 + w.random.IntN(5))
	case DatabaseFull:
		e.forAWhile(func(on int) { n.woes.databaseFull = on == 1 })
	case DiskFull:
		w.Fired[DiskFull]++
		n.disk(dir).Resize(0)
		w.after(woeLasts, func() { n.disk(dir).Resize(diskOctets) })
	case NoSpace:
		e.forAWhile(func(on int) { n.woes.space = 100 * on })
	case ReadError:
		e.forAWhile(func(on int) { n.woes.read = 20 * on })
	case WriteError:
		e.forAWhile(func(on int) { n.woes.write = 50 * on })
	case SyncError:
		e.forAWhile(func(on int) { n.woes.sync = 200 * on })
	case ClockAhead:
		w.Fired[ClockAhead]++
		n.skew += time.Duration(w.random.Int64N(int64(48 * time.Hour)))
	case DiskClock:
		w.Fired[DiskClock]++
		n.ahead = time.Duration(w.random.Int64N(int64(2*skewMax))) - skewMax
	default:
		e.replace(kind, n, toldTries)
	}
}

func (e *Nemesis) forAWhile(set func(on int)) {
	set(1)
	e.World.after(woeLasts, func() { set(0) })
}

func (e *Nemesis) cutPower(n *Node) {
	w := e.World
	switch w.random.IntN(3) {
	case 0:
		n.Crash()
	case 1:
		n.CrashAtStep(1 + w.random.IntN(12))
	case 2:
		n.CrashAtCommit(1+w.random.IntN(5), w.random.IntN(2) == 0)
	}
}

func (e *Nemesis) partition(n *Node) {
	w := e.World
	if other := w.Nodes[w.random.IntN(len(w.Nodes))]; other != n {
		w.Cut(n, other, true)
		w.after(4*time.Second, func() { w.Cut(n, other, false) })
	}
}

// replace puts something else in the place of what a device has on its disks, once
// the device has told others all that happened on it: what it alone knew would be
// gone, and what it had promised to send. One time in four there is a new image to go
// back to instead.
func (e *Nemesis) replace(kind Fault, n *Node, tries int) {
	w, had := e.World, e.images[n]
	switch {
	case e.parked[n] != nil || tries == 0 || e.over:
		return
	case had == nil || w.random.IntN(4) == 0:
		e.images[n] = n.image(true)
		return
	case !n.told() || kind == RestoreAll && e.Ledger.only(n, had):
		w.after(time.Second, func() { e.replace(kind, n, tries-1) })
		return
	}
	w.Fired[kind]++
	n.Kill()
	e.put(kind, n, had)
	if kind == Restore || kind == RestoreAll {
		n.noteLoss()
	}
}

func (e *Nemesis) put(kind Fault, n *Node, had *image) {
	switch kind {
	case Restore, RestoreImage:
		only := *had
		only.folder = nil
		n.become(&only)
	case RestoreAll:
		n.become(had)
	case LostDatabase:
		n.LoseDatabases()
	case Clone:
		e.clone(n)
	}
}

// clone lets a copy of the device run instead of it for a while.
func (e *Nemesis) clone(n *Node) {
	e.parked[n] = n.image(true)
	n.noteLoss()
	e.World.after(cloneLasts, func() { e.unclone(n) })
}

const cloneLasts = 20 * time.Second

// unclone puts the original back, unless the copy has what nobody else has.
func (e *Nemesis) unclone(n *Node) {
	original := e.parked[n]
	if original == nil {
		return
	}
	delete(e.parked, n)
	if n.told() && !e.Ledger.only(n, original) {
		n.Kill()
		n.become(original)
	}
}

// Mend ends all misfortune.
func (e *Nemesis) Mend() {
	e.over = true
	for _, n := range e.World.Nodes {
		e.unclone(n)
	}
	e.World.Mend()
}
