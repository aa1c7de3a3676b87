package replica

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// box is one device: a disk that can lose power, a user at it, a database, a log
// and a Replica, whose orders it carries out one at a time.
type box struct {
	t      tester
	letter byte
	cfg    Config
	disk   *crashfs.FS
	root   *store.Root
	id     store.Identity
	db     *kv.Memory
	rep    *Replica
	log    []eventlog.Event // as taken in: causal order
	has    map[zsync.EventID]bool
	now    time.Time
	jobs   []job
	fetch  func(content zsync.Digest) ([]byte, bool) // from any other box
	order  func(jobs int) int                        // which job is next; nil: the oldest
	deaths int
	passed time.Duration // of the disk's clock
	// applying: the power is being cut, so a look at the disk after a batch says nothing.
	applying  bool
	applied   []string             // the last batch, for failures
	touched   bool                 // users may touch files: see tree
	noHash    bool                 // hashing is a failure
	failing   map[zsync.Path]error // what reading these files and directories ends in
	hashes    int                  // how often a file was to be hashed
	closed    bool                 // no program has a file open to write, which this disk does not tell
	onCopy    func() error         // before a copy is made
	onApply   func(store.Change) error
	onUnstage func(zsync.Digest)
	onVerify  func(*store.Hashed) // what is read of a file, before it is told
}

// job is one order under way. Done it is a fact, which is a job again: facts may
// be late.
type job struct {
	kind string       // list, hash, want, flush, apply or another
	live bool         // it goes before what is not
	want zsync.Digest // of a Want
	do   func() (fact func(tx kv.Tx), ready bool)
}

var bootTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func newBox(t tester, letter byte) *box { return newBoxOn(t, letter, func(*crashfs.FS) {}) }

// newBoxOn is newBox with another kind of disk.
func newBoxOn(t tester, letter byte, prepare func(*crashfs.FS)) *box {
	b := &box{
		t: t, letter: letter, cfg: Config{Space: testSpace, Applies: true, Authors: true},
		disk: crashfs.New(uint64(letter)), db: kv.NewMemory(), has: map[zsync.EventID]bool{}, now: bootTime,
	}
	prepare(b.disk)
	b.start()
	return b
}

// start opens everything as after a power cut.
func (b *box) start() {
	b.t.Helper()
	root, err := store.Open(b.disk, store.Options{Expect: b.id, SameFolder: true})
	if err != nil {
		b.t.Fatalf("%c: %v", b.letter, err)
	}
	b.root, b.id = root, root.Identity()
	b.reopen()
}

// reopen opens the Replica as after a failed transaction.
func (b *box) reopen() {
	b.t.Helper()
	b.jobs = nil
	staged, err := b.root.Staged()
	if err != nil {
		b.t.Fatalf("%c: staged: %v", b.letter, err)
	}
	b.rep = nil
	b.fact(func(tx kv.Tx) {
		rep, err := Open(tx, b.cfg)
		if err != nil {
			b.t.Fatalf("%c: open: %v", b.letter, err)
		}
		b.rep = rep
		if n, known := b.root.Nature(); known {
			rep.SetNature(tx, n)
		}
		rep.Start(tx, b.now, staged, b.root.Unfinished())
	})
}

var errCrash = errors.New("crash")

// fact gives the Replica a fact and logs what comes of it, in one transaction;
// what it orders then goes after the commit.
func (b *box) fact(f func(tx kv.Tx)) {
	b.t.Helper()
	log := b.log
	err := b.db.Update(func(tx kv.Tx) error {
		f(tx)
		for b.logBody(tx) || b.logConfirm(tx) {
		}
		return nil
	})
	if errors.Is(err, errCrash) {
		for _, ev := range b.log[len(log):] {
			delete(b.has, ev.ID)
		}
		b.log = log
		b.deaths++
		b.reopen()
		return
	}
	if err != nil {
		b.t.Fatalf("%c: %v", b.letter, err)
	}
	b.take(b.rep.Output())
}

func (b *box) logBody(tx kv.Tx) bool {
	h := b.header()
	body := b.rep.Body(tx, h.Writer, h.Seq)
	if body == nil {
		return false
	}
	b.logged(tx, h, body)
	return true
}

func (b *box) logged(tx kv.Tx, h zsync.Header, body []byte) {
	h.BodyHash = sha256.Sum256(body)
	ev := eventlog.Event{ID: eventID(h), Header: h, Author: zsync.DeviceID{b.letter, 0xde}, Body: body}
	b.keep(ev)
	if err := b.rep.Fold(tx, []eventlog.Event{ev}); err != nil {
		b.t.Fatalf("%c: fold: %v", b.letter, err)
	}
	b.rep.Logged(tx, ev)
}

func (b *box) logConfirm(tx kv.Tx) bool {
	body := b.rep.ConfirmBody(tx)
	if body == nil {
		return false
	}
	h := b.header()
	h.Kind, h.BodyHash = zsync.KindConfirm, sha256.Sum256(body)
	ev := eventlog.Event{ID: eventID(h), Header: h, Author: zsync.DeviceID{b.letter, 0xde}, Body: body}
	b.keep(ev)
	if err := b.rep.Fold(tx, []eventlog.Event{ev}); err != nil {
		b.t.Fatalf("%c: fold: %v", b.letter, err)
	}
	return true
}

// header is the next event's: a new incarnation after each crash, as the log does.
func (b *box) header() zsync.Header {
	h := zsync.Header{
		Space: b.cfg.Space, Writer: zsync.WriterID{b.letter, byte(b.deaths)}, Kind: zsync.KindFS,
		WallMS: uint64(b.now.UnixMilli()),
	}
	for i := range b.log {
		if o := &b.log[i].Header; o.Writer == h.Writer {
			h.Seq = max(h.Seq, o.Seq)
		}
		h.Lamport = max(h.Lamport, b.log[i].Header.Lamport)
	}
	h.Seq++
	h.Lamport++
	return h
}

func eventID(h zsync.Header) zsync.EventID {
	text := append([]byte("event"), h.Writer[:]...)
	text = binary.BigEndian.AppendUint64(text, h.Seq)
	text = binary.BigEndian.AppendUint64(text, h.Lamport)
	return sha256.Sum256(append(text, h.BodyHash[:]...))
}

func (b *box) keep(ev eventlog.Event) {
	b.log = append(b.log, ev)
	b.has[ev.ID] = true
}

// take turns orders into jobs.
func (b *box) take(out Output) {
	for i, dir := range append(out.ListFirst, out.List...) {
		b.job("list", i < len(out.ListFirst), func() func(kv.Tx) {
			l := b.root.List(dir)
			if err := b.failing[dir]; err != nil {
				l = store.Listing{Path: dir, Err: err}
			}
			return func(tx kv.Tx) { b.rep.Listed(tx, b.now, l) }
		})
	}
	b.hashAll(out.HashFirst, true)
	b.hashAll(out.Hash, false)
	if len(out.Verify) > 0 {
		b.verify(out.Verify)
	}
	for _, c := range out.Copy {
		b.job("copy", c.Urgent, func() func(kv.Tx) {
			var err error
			if b.onCopy != nil {
				err = b.onCopy()
			}
			if err == nil {
				err = b.root.Copy(c.Content, c.Size, c.From)
			}
			return func(tx kv.Tx) { b.rep.Staged(tx, b.now, c.Content, err) }
		})
	}
	for _, content := range out.Unwant {
		b.jobs = slices.DeleteFunc(b.jobs, func(j job) bool { return j.want == content })
	}
	for _, content := range out.Unstage {
		if b.onUnstage != nil {
			b.onUnstage(content)
		}
		_ = b.root.Unstage(content) // there may be none
	}
	for _, w := range out.Want {
		b.want(w)
	}
	if out.Flush {
		b.job("flush", true, func() func(kv.Tx) {
			err := b.root.Flush()
			return func(tx kv.Tx) { b.rep.Flushed(tx, b.now, err) }
		})
	}
	for _, batch := range out.Apply {
		b.apply(batch)
	}
}

// hash asks the disk's clock at each file, where a store shares one look among
// many files.
func (b *box) hash(j store.HashJob) store.Hashed {
	if b.noHash {
		b.t.Fatalf("%c: hashes %s", b.letter, j.Path)
	}
	b.hashes++
	j.Closed = j.Closed && !b.closed
	if err := b.failing[j.Path]; err != nil {
		return store.Hashed{Path: j.Path, Err: err}
	}
	h := b.root.Hash(j)
	h.Young = h.Err == nil && h.Stat.CtimeNS > bootTime.Add(b.passed-2*time.Second).UnixNano()
	return h
}

// advance moves the disk's clock.
func (b *box) advance(by time.Duration) {
	b.disk.Advance(by)
	b.passed += by
}

func (b *box) hashAll(files []store.HashJob, live bool) {
	for hash := range slices.Chunk(files, 16) {
		b.job("hash", live, func() func(kv.Tx) {
			var hashed []store.Hashed
			for _, j := range hash {
				hashed = append(hashed, b.hash(j))
			}
			return func(tx kv.Tx) { b.rep.Hashed(tx, b.now, hashed) }
		})
	}
}

func (b *box) job(kind string, live bool, do func() func(kv.Tx)) {
	b.jobs = append(b.jobs, job{kind: kind, live: live, do: func() (func(kv.Tx), bool) { return do(), true }})
}

func (b *box) want(w Want) {
	b.jobs = append(b.jobs, job{kind: "want", live: w.Urgent, want: w.Content, do: func() (func(kv.Tx), bool) {
		if b.fetch == nil {
			return nil, false
		}
		data, found := b.fetch(w.Content)
		if !found {
			return nil, false
		}
		errs := b.root.Stage([]store.Piece{{Content: w.Content, Size: w.Size, Hash: w.Content, Data: data}})
		return func(tx kv.Tx) { b.rep.Staged(tx, b.now, w.Content, errs[0]) }, true
	}})
}

// apply carries out a batch, and makes sure that it destroys nothing: what was
// under a name or kept before is so afterwards.
func (b *box) apply(batch Batch) {
	b.job("apply", batch.Urgent, func() func(kv.Tx) {
		before := b.contents()
		results := b.carryOut(batch)
		b.applied = nil
		for i, c := range batch.Changes {
			b.applied = append(b.applied, fmt.Sprintf("%v %s -> %s: %v", c.Op, c.From, c.Path, results[i].Err))
		}
		if !b.applying {
			b.wantContents(before)
		}
		return func(tx kv.Tx) { b.rep.Applied(tx, b.now, batch.Number, results) }
	})
}

// carryOut has the disk carry out a batch, but for what onApply refuses in its place.
func (b *box) carryOut(batch Batch) []store.Result {
	results := make([]store.Result, len(batch.Changes))
	var rest []store.Change
	var at []int
	for i, c := range batch.Changes {
		if b.onApply != nil {
			results[i].Err = b.onApply(c)
		}
		if results[i].Err == nil {
			rest, at = append(rest, c), append(at, i)
		}
	}
	for i, result := range b.root.Apply(rest, batch.Redo) {
		results[at[i]] = result
	}
	return results
}

func (b *box) wantContents(before map[string]bool) {
	b.t.Helper()
	after := b.contents()
	for text := range before {
		if !after[text] {
			b.t.Fatalf("%c: %q was lost", b.letter, text)
		}
	}
}

// contents are the bytes that the user can get at: files, and what is kept.
func (b *box) contents() map[string]bool {
	all := map[string]bool{}
	for _, path := range b.disk.User().Paths("") {
		private := strings.HasPrefix(path, ".zsync/") && !strings.HasPrefix(path, ".zsync/versions/")
		if b.disk.User().Stat(path).Type == zsync.TypeFile && !private {
			all[string(b.disk.User().Read(path))] = true
		}
	}
	return all
}

// run does one job, and tells the Replica at once or, when told to shuffle, some
// time later. It is false when no job can be done.
func (b *box) run() bool {
	start := 0
	if b.order != nil && len(b.jobs) > 0 {
		start = b.order(len(b.jobs))
	}
	for n := range b.jobs {
		i := (start + n) % len(b.jobs)
		fact, ready := b.jobs[i].do()
		if !ready {
			continue
		}
		b.jobs = slices.Delete(b.jobs, i, i+1)
		if b.applying && b.root.Check() != nil {
			return true // the power is off: nobody is told
		}
		if b.order != nil && b.order(2) == 1 {
			b.jobs = append(b.jobs, job{do: func() (func(kv.Tx), bool) { return fact, true }})
		} else {
			b.fact(fact)
		}
		return true
	}
	return false
}

// rest lets time pass until nothing is left to do but the next full scan, or
// fetching what no one has.
func (b *box) rest() {
	b.t.Helper()
	for turns := 0; ; turns++ {
		if turns > 5000 {
			b.t.Fatalf("%c: it does not come to rest: %+v\n%s", b.letter, b.status(), b.state())
		}
		if b.run() {
			continue
		}
		due := b.rep.Deadline()
		if due.IsZero() || due.After(b.now.Add(30*time.Minute)) {
			return
		}
		b.pass(due)
	}
}

// pass lets time pass until then.
func (b *box) pass(until time.Time) {
	b.t.Helper()
	if until.After(b.now) {
		b.advance(until.Sub(b.now))
		b.now = until
	}
	b.fact(func(tx kv.Tx) { b.rep.Advance(tx, b.now) })
}

// scan lets the Replica find what the user did.
func (b *box) scan() {
	b.t.Helper()
	b.rep.Hinted(b.now, nil, true)
	b.rest()
}

func (b *box) status() (s Status) {
	_ = b.db.View(func(tx kv.Tx) error {
		s = b.rep.Status(tx)
		return nil
	})
	return s
}

// learn takes in the first most of what another box has logged and this one has
// not; all when most is negative.
func (b *box) learn(from *box, most int) {
	b.t.Helper()
	fresh := slices.Clone(from.log)
	slices.SortFunc(fresh, func(x, y eventlog.Event) int { return x.Header.Stamp(0).Compare(y.Header.Stamp(0)) })
	fresh = slices.DeleteFunc(fresh, func(ev eventlog.Event) bool { return b.has[ev.ID] })
	if most >= 0 && most < len(fresh) {
		fresh = fresh[:most]
	}
	if len(fresh) == 0 {
		return
	}
	deaths := b.deaths
	b.fact(func(tx kv.Tx) {
		for _, ev := range fresh {
			b.keep(ev)
		}
		if err := b.rep.Fold(tx, fresh); err != nil {
			b.t.Fatalf("%c: fold: %v", b.letter, err)
		}
		b.rep.Advance(tx, b.now)
	})
	if deaths != b.deaths {
		for _, ev := range fresh {
			delete(b.has, ev.ID)
		}
	}
}

// link lets boxes fetch contents from each other.
func link(boxes ...*box) {
	for _, b := range boxes {
		b.fetch = func(content zsync.Digest) ([]byte, bool) {
			for _, o := range boxes {
				if o == b {
					continue
				}
				if data, found := o.serve(content); found {
					return data, true
				}
			}
			return nil, false
		}
	}
}

func (b *box) serve(content zsync.Digest) (data []byte, found bool) {
	_ = b.db.View(func(tx kv.Tx) error {
		span, located := b.rep.Locate(tx, content)
		if !located || span.Area == store.InStaging {
			return nil
		}
		data = make([]byte, span.Stat.Size)
		found = b.root.Read(span, 0, data) == nil
		return nil
	})
	return data, found
}

// sync lets all boxes tell each other everything until nothing is new.
func sync(boxes ...*box) {
	for _, b := range boxes {
		b.t.Helper()
	}
	quiet := 0
	for range 20 {
		before := 0
		for _, b := range boxes {
			before += len(b.log)
			b.rest()
		}
		for _, b := range boxes {
			for _, o := range boxes {
				b.learn(o, -1)
			}
			b.rest()
		}
		after := 0
		for _, b := range boxes {
			after += len(b.log)
		}
		// Twice: what one fetched last another may still want.
		if quiet++; after != before {
			quiet = 0
		} else if quiet > 1 {
			return
		}
	}
	boxes[0].t.Fatalf("events without end: %d", len(boxes[0].log))
}

// loggedAt is where the log has what lies at a path of the disk, by D.
func (b *box) loggedAt(path string) string {
	names := strings.Split(path, "/")
	_ = b.db.View(func(tx kv.Tx) error {
		for i := range names {
			if d := b.rep.disk.atPath(tx, zsync.Path(strings.Join(strings.Split(path, "/")[:i+1], "/"))); d != nil {
				names[i] = string(d.logged())
			}
		}
		return nil
	})
	return strings.Join(names, "/")
}

// tree is what the user sees: path in the log, type, mode, mtime and content, a line
// each.
func (b *box) tree() string {
	var lines []string
	user := b.disk.User()
	for _, path := range user.Paths("") {
		if path == ".zsync" || strings.HasPrefix(path, ".zsync/") {
			continue
		}
		stat, name := user.Stat(path), b.loggedAt(path)
		switch stat.Type {
		case zsync.TypeDir:
			lines = append(lines, fmt.Sprintf("%s/ %o", name, stat.Mode))
		case zsync.TypeSymlink:
			lines = append(lines, fmt.Sprintf("%s -> %s", name, b.readlink(path)))
		default:
			if b.touched { // a touch is no event, and neither is a chmod of a conflict copy
				stat.Mode, stat.MtimeNS = 0, 0
			}
			lines = append(lines, fmt.Sprintf("%s %o %d %q", name, stat.Mode, stat.MtimeNS, user.Read(path)))
		}
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

func (b *box) readlink(path string) string {
	p := zsync.Path(path)
	for _, e := range b.root.List(p.Dir()).Entries {
		if e.Name == string(p.Base()) {
			return e.Target
		}
	}
	return "?"
}

// names are the paths alone.
func (b *box) names() string {
	var names []string
	for _, path := range b.disk.User().Paths("") {
		if path != ".zsync" && !strings.HasPrefix(path, ".zsync/") {
			names = append(names, path)
		}
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

// state is what is under way, for failures.
func (b *box) state() string {
	r := b.rep
	text := fmt.Sprintf("queue %v listing %v tasks %d held %v missing %d findings %d batch %d steps in state %d, cursor %x blocked %d ready %d rests %v asleep %v wants %d deadline %v now %v jobs %d\nlast batch %q",
		r.scan.queue, r.scan.listing, len(r.scan.tasks), r.scan.held, len(r.scan.missing), len(r.findings.at), len(r.batch.steps), r.batch.state,
		r.plan.cursor, r.plan.blocked, len(r.plan.ready), r.plan.rests, r.plan.asleep, r.contents.outstanding, r.Deadline(), b.now, len(b.jobs), b.applied)
	for _, f := range r.findings.at {
		text += fmt.Sprintf("\nfound %+v", *f)
	}
	_ = b.db.View(func(tx kv.Tx) error {
		tx.Scan(bucketDirty, nil, func(key, _ []byte) bool {
			text += fmt.Sprintf("\ndirty %x", key)
			return true
		})
		tx.Scan(bucketTodo, nil, func(key, _ []byte) bool {
			node := binary.BigEndian.Uint64(key)
			text += fmt.Sprintf("\ntodo %d: L %+v\n", node, r.tree.shown(tx, node))
			for _, d := range r.disk.node(tx, node) {
				text += fmt.Sprintf("   D %+v\n", *d)
			}
			return true
		})
		return nil
	})
	return text
}

// wantSame makes sure that all boxes are at rest, alike, and stay so.
func wantSame(boxes ...*box) {
	first := boxes[0]
	first.t.Helper()
	for _, b := range boxes {
		if s := b.status(); !s.Idle || s.NeedFiles != 0 || s.NeedBytes != 0 {
			b.t.Fatalf("%c: not at rest: %+v\n%s%s", b.letter, s, b.state(), trees(boxes))
		}
		if b.tree() != first.tree() {
			b.t.Fatalf("%c has\n%s\n\n%c has\n%s\n%s", first.letter, first.tree(), b.letter, b.tree(), b.state())
		}
		b.wantTotals()
	}
	for _, b := range boxes {
		events := len(b.log)
		b.scan()
		if len(b.log) != events {
			body, _ := DecodeBody(b.log[events].Body)
			b.t.Fatalf("%c: an idle scan logs %+v\n%s", b.letter, body, b.tree())
		}
	}
}

func trees(boxes []*box) (text string) {
	for _, b := range boxes {
		text += fmt.Sprintf("\n%c has\n%s\n", b.letter, b.tree())
	}
	return text
}

// wantTotals makes sure that the running totals are what counting finds.
func (b *box) wantTotals() {
	b.t.Helper()
	_ = b.db.View(func(tx kv.Tx) error {
		var counted totals
		tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
			d := b.rep.disk.decode(tx, key, value)
			counted.count(d, +1)
			if at := b.rep.disk.at(tx, d.place); at == nil || at.key != d.key {
				b.t.Fatalf("%c: %v is not what D finds at its place: %+v", b.letter, d, at)
			}
			if _, found := b.rep.disk.path(tx, d.place); !found {
				b.t.Fatalf("%c: %+v is nowhere", b.letter, d)
			}
			return true
		})
		if counted != b.rep.disk.totals {
			b.t.Fatalf("%c: totals %+v, counted %+v", b.letter, b.rep.disk.totals, counted)
		}
		b.wantIndexes(tx)
		return nil
	})
}

// wantIndexes makes sure that the indexes in memory are what a start would make them.
func (b *box) wantIndexes(tx kv.Tx) {
	b.t.Helper()
	var anew disk
	d := &b.rep.disk
	anew.index(tx)
	d.index(tx)
	if !slices.Equal(d.byContent.entries(), anew.byContent.entries()) {
		b.t.Fatalf("%c: the files by content are\n%x, and of D\n%x", b.letter, d.byContent.entries(), anew.byContent.entries())
	}
	if !slices.Equal(d.byInode.entries(), anew.byInode.entries()) {
		b.t.Fatalf("%c: what D has by inode is\n%x, and of D\n%x", b.letter, d.byInode.entries(), anew.byInode.entries())
	}
}

// records is all of D.
func (b *box) records() (all []*onDisk) {
	_ = b.db.View(func(tx kv.Tx) error {
		tx.Scan(bucketDisk, nil, func(key, value []byte) bool {
			all = append(all, b.rep.disk.decode(tx, key, value))
			return true
		})
		return nil
	})
	return all
}
