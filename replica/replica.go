package replica

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// WantsMax is how many contents are asked for, or copied, at one time.
const WantsMax = 4096

// Config says whose copy of what a Replica is.
type Config struct {
	Space     zsync.SpaceID
	Device    zsync.DeviceID // this one; nothing is held back where it is zero
	Applies   bool           // a half of the role: what others changed is carried out here
	Authors   bool           // the other half: what is changed here is logged
	ScanEvery time.Duration  // between full scans; 0 means 1 h
	Ignore    []string       // the default list of patterns; nil means DefaultIgnore
	// Seed is octets that nobody else knows: with them, no member can choose names for
	// nodes that are hard to tell apart. Nothing that is seen depends on them.
	Seed [16]byte
}

func (c Config) withDefaults() Config {
	if c.ScanEvery == 0 {
		c.ScanEvery = scanEvery
	}
	if c.Ignore == nil {
		c.Ignore = DefaultIgnore
	}
	return c
}

// Replica is one folder's copy on this device: the machine that decides what its
// disk should be, knows what it is, and says what to do about the difference.
//
// All that must survive is in the database. What is in memory follows from it or
// is found again, so after a transaction that failed a Replica is thrown away and
// opened anew.
type Replica struct {
	cfg      Config
	tree     *tree // L
	disk     disk  // D
	scan     scanner
	findings findings
	drafts   []draft // the body last given out
	plan     planner
	contents contents
	flushes  flushes
	batch    batch    // the next one
	underWay underWay // those before
	problems problems
	scrub    scrub
	brake    brake
	apart    apart
	author   bool // this device may write to the log now …
	soon     bool // … or else soon
	aside    bool // what was found is not all kept: a scan has to find it again
	lost     bool // the folder's root is not there
	more     bool // a turn ended before its work
	now      time.Time
	out      Output
}

// Open returns the Replica whose state tx holds; a new one when it holds none.
func Open(tx kv.Tx, cfg Config) (*Replica, error) {
	cfg = cfg.withDefaults()
	l := newTree(cfg.Space)
	l.seed = cfg.Seed
	d, err := openDisk(tx, l.dirty)
	if err != nil {
		return nil, err
	}
	b, err := openBrake(tx)
	if err != nil {
		return nil, err
	}
	r := &Replica{
		cfg: cfg, tree: l, disk: d, brake: b, author: true,
		scan: newScanner(), findings: newFindings(), plan: newPlanner(), contents: newContents(),
		batch: newBatch(), problems: newProblems(), apart: newApart(),
	}
	n := natureOf(tx)
	r.tree.names, r.disk.nature = newProjection(n), n
	r.takePatterns(tx)
	return r, tx.Err()
}

// Malformed counts the events folded since the start, or since the last refold,
// whose bodies make no sense.
func (r *Replica) Malformed() uint64 { return r.tree.malformed }

// Sensible reports whether an event's body is one that its kind can have.
func Sensible(ev eventlog.Event) (sensible bool) {
	var err error
	switch ev.Header.Kind {
	case zsync.KindFS:
		_, err = DecodeBody(ev.Body)
	case zsync.KindConfirm:
		_, err = DecodeConfirm(ev.Body)
	case zsync.KindSettings:
		_, err = DecodeSettings(ev.Body)
	}
	return err == nil
}

// Fold takes in events that were just stored, in causal order. Void events and
// those of other kinds are passed over. Before the transaction ends, Logged or
// Advance follows, which goes on with what the events changed.
func (r *Replica) Fold(tx kv.Tx, fresh []eventlog.Event) error {
	live := liveFrom(fresh)
	for i := range fresh {
		r.tree.dirty.notes = i >= live
		if err := r.tree.fold(tx, fresh[i]); err != nil {
			return err
		}
		r.countEnded(tx)
		r.foldConfirm(tx, fresh[i])
	}
	r.plan.noteLive(r.tree.dirty.takeNoted())
	r.more = true
	return tx.Err()
}

// Refold forgets what the log was taken to say and folds all of it anew: what
// each yields. D stays, but for versions that turn out to be void: the scan that
// follows finds those on the disk and logs them as new.
func (r *Replica) Refold(tx kv.Tx, each func(yield func(eventlog.Event) bool)) error {
	tx.Drop(bucketConfirmed)
	counted := func(yield func(eventlog.Event) bool) {
		each(func(ev eventlog.Event) bool {
			on := yield(ev)
			r.countEnded(tx)
			r.foldConfirm(tx, ev)
			return on
		})
	}
	if err := r.tree.refold(tx, counted); err != nil {
		return err
	}
	r.brake.stirred = true
	r.takeRules(tx)
	r.dropVoid(tx)
	r.disk.save(tx)
	r.scan.nextFull = r.now
	r.more = true
	return tx.Err()
}

// dropVoid makes D forget the versions of events that are not in L, and those alone.
// Nothing is lost: the disk keeps them, and what they hold is in the cache.
func (r *Replica) dropVoid(tx kv.Tx) {
	var void []diskKey
	isVoid := func(dot zsync.Dot) bool { return !folded(tx, dot) }
	tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
		if d := r.disk.decode(tx, key, value); d != nil && slices.ContainsFunc(d.dots, isVoid) {
			void = append(void, d.key)
		}
		return true
	})
	for _, key := range void { // while each has a path still
		if d := r.disk.get(tx, key); !slices.ContainsFunc(d.dots, func(dot zsync.Dot) bool { return !isVoid(dot) }) {
			r.disk.export(tx, tx, d)
		}
	}
	for _, key := range void {
		d := r.disk.get(tx, key)
		d = d.clone()
		d.dots = slices.DeleteFunc(d.dots, isVoid)
		if len(d.dots) > 0 {
			r.disk.put(tx, d)
			continue
		}
		r.forget(tx, d) // and not what is in it: if that was deleted, a scan shall find out
	}
}

func folded(tx kv.Tx, dot zsync.Dot) bool { return tx.Get(bucketFolded, dot.Event[:]) != nil }

// dropTree makes D forget something and all that is in it.
func (r *Replica) dropTree(tx kv.Tx, d *onDisk) {
	if d.kind == zsync.TypeDir {
		for _, kid := range r.disk.kids(tx, d.key.node) {
			r.dropTree(tx, kid)
		}
	}
	r.disk.export(tx, tx, d)
	r.forget(tx, d)
}

// ForgetDisk empties D and the intents, for a disk that a person vouches for: it
// may hold less than D says, or older things. It comes before Start. Nothing is
// taken for deleted then, since the next scan only creates. What D knew of contents
// stays in the cache.
func (r *Replica) ForgetDisk(tx kv.Tx) {
	var all []*onDisk
	tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
		if d := r.disk.decode(tx, key, value); d != nil {
			all = append(all, d)
		}
		return tx.Err() == nil
	})
	for _, d := range all {
		r.disk.export(tx, tx, d)
	}
	for _, d := range all {
		r.disk.drop(tx, d.key)
		r.tree.dirty.mark(d.key.node)
	}
	dropIntents(tx)
	r.disk.save(tx)
}

// work goes on with everything that is under way. It ends every fact.
func (r *Replica) work(tx kv.Tx, now time.Time) {
	r.now, r.more = now, false
	r.takeRules(tx)
	r.assess(tx)
	r.bringStraysBack(tx)
	r.brakeOn(tx, now)
	r.scanOn(tx, now)
	r.applyWhenQuiet(tx, now)
	r.planOn(tx, now)
	r.flushAhead()
	r.endFetchTrouble()
	r.scrubOn(tx, now)
	r.dropLists(tx)
	r.more = r.more || len(r.tree.dirty.fresh) > 0
	r.disk.save(tx)
	if !r.more && r.disk.totals.needFiles == 0 && len(r.findings.at) == 0 && !r.scan.busy() {
		r.forgetMemos()
	}
}

// forgetMemos gives back their memory: a device may have many folders at rest.
func (r *Replica) forgetMemos() {
	r.tree.forget()
	r.disk.nodes.clear()
	r.disk.places.clear()
	r.disk.dirs.clear()
	r.disk.needs.clear()
}

// Advance acts on every deadline that has passed.
func (r *Replica) Advance(tx kv.Tx, now time.Time) { r.work(tx, now) }

// Deadline is when Advance is next needed; zero: never.
func (r *Replica) Deadline() time.Time {
	if r.more {
		return r.now
	}
	due := r.scan.deadline()
	if r.findings.open() > 0 && r.mayAuthor() {
		due = earlier(due, r.findings.since.Add(coalesce))
		if fs := &r.findings; fs.live > 0 && !fs.held && fs.waiting(foundMove) == 0 {
			due = earlier(due, fs.liveSince.Add(liveWait))
		}
	}
	if r.plans() {
		due = earlier(due, r.planDue())
	}
	due = earlier(due, r.scrub.deadline())
	if r.batch.state == batchReady && r.mayGo(r.now) {
		due = earlier(due, r.batch.notBefore)
	}
	return due
}

// Output returns the orders made since it was last called.
func (r *Replica) Output() Output {
	out := r.out
	r.out = Output{}
	return out
}
