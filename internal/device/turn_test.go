package device

import (
	"errors"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
)

// twoCopies are two devices with one folder, linked from the start. Their orders
// are carried out one after the other.
type twoCopies struct {
	t      *testing.T
	now    time.Time
	copies [2]*testCopy
	facts  []testFact
	failed int // turns that did not commit

	content string // of the one file; "" means hello
	gone    bool   // it is removed on the way
	apart   bool   // what one says does not reach the other
}

type testCopy struct {
	cfg     FolderConfig
	db      *kv.Memory
	disk    *crashfs.FS
	root    *store.Root
	machine *FolderMachine
	refuse  func(in []any) bool  // turns that are not committed
	zeros   int                  // reports that nothing is lacking
	failing map[zsync.Path]error // what reading these files ends in
}

type testFact struct {
	to   *testCopy
	what any
}

var errNoCommit = errors.New("the disk of the database is full")

// newTwoCopies has the first device found the folder, with one file in it.
func newTwoCopies(t *testing.T) *twoCopies {
	t.Helper()
	w := &twoCopies{t: t, now: epoch}
	for i, name := range []string{"one", "two"} {
		keys := keysOf(t, name)
		c := &testCopy{db: kv.NewMemory(), disk: crashfs.New(uint64(i)), refuse: func([]any) bool { return false }}
		c.cfg = FolderConfig{Keys: keys, Cert: keys.Certify(name, 1), Seed: [32]byte{byte(i)}}
		w.copies[i] = c
	}
	founder := w.copies[0]
	home := &HomeMachine{cfg: HomeConfig{Keys: founder.cfg.Keys, Cert: founder.cfg.Cert}, draws: &draws{}}
	founding, id, err := home.conceive(epoch, eventlog.Folder)
	must(t, err)
	founder.disk.User().Write("a.txt", []byte("hello"))
	for _, c := range w.copies {
		c.cfg.Registration = Registration{Label: "Photos", Role: "sync", Space: id.Space()}
	}
	founder.cfg.Founding = founding
	for _, c := range w.copies {
		w.open(c)
	}
	return w
}

// open opens a copy as after a start, and links it.
func (w *twoCopies) open(c *testCopy) {
	w.t.Helper()
	root, err := store.Open(c.disk, store.Options{})
	must(w.t, err)
	w.t.Cleanup(func() { _ = root.Close() })
	c.root = root
	c.cfg.Staged, err = root.Staged()
	must(w.t, err)
	machine, effects, err := OpenFolderMachine(w.now, c.db, c.cfg)
	must(w.t, err)
	c.machine = machine
	w.carry(c, effects)
	w.post(c, Linked{Peer: w.other(c).cfg.Cert})
}

func (w *twoCopies) other(c *testCopy) *testCopy {
	if c == w.copies[0] {
		return w.copies[1]
	}
	return w.copies[0]
}

func (w *twoCopies) post(to *testCopy, what any) { w.facts = append(w.facts, testFact{to, what}) }

// turn gives a machine its inputs. One whose turn failed is opened again, as its
// owner would.
func (w *twoCopies) turn(c *testCopy, in ...any) {
	w.t.Helper()
	refuse, refused := c.refuse(in), false
	c.db.Commit = func() error {
		if refused = refuse; refused {
			return errNoCommit
		}
		return nil
	}
	effects, err := c.machine.Handle(w.now, in)
	c.db.Commit = nil
	if !refused {
		must(w.t, err)
		w.carry(c, effects)
		return
	}
	if len(effects) > 0 || !errors.Is(err, errNoCommit) {
		w.t.Errorf("%T: a turn that was not committed has %d effects, and says %v", in, len(effects), err)
	}
	w.failed++
	w.facts = nil
	must(w.t, c.root.Close())
	w.open(c)
	w.post(w.other(c), Unlinked{Device: c.cfg.Keys.Device()})
	w.post(w.other(c), Linked{Peer: c.cfg.Cert})
}

// carry does what a turn ordered.
func (w *twoCopies) carry(c *testCopy, effects []Effect) {
	w.t.Helper()
	for _, e := range effects {
		switch order := e.What.(type) {
		case ListDir:
			w.post(c, Listed{c.root.List(order.Path)})
		case HashFiles:
			var hashed Hashed
			for _, job := range order.Jobs {
				result := c.root.Hash(job)
				if err := c.failing[job.Path]; err != nil {
					result = store.Hashed{Path: job.Path, Err: err}
				}
				hashed.Results = append(hashed.Results, result)
			}
			w.post(c, hashed)
		case Fetch:
			w.post(c, w.fetched(c, order))
		case FlushStaged:
			w.post(c, Flushed{c.root.Flush()})
		case ApplyBatch:
			w.post(c, Applied{order.Batch, c.root.Apply(order.Changes, order.Redo)})
		case LookAgain:
			w.post(c, c.lookAgain(order))
		case Say:
			if order.Type == typeProgress {
				w.said(c, order.Body)
			}
			if w.apart {
				continue
			}
			w.post(w.other(c), Heard{From: c.cfg.Cert, Type: order.Type, Body: order.Body})
		}
	}
}

func (w *twoCopies) bytes() []byte {
	if w.content != "" {
		return []byte(w.content)
	}
	return []byte("hello")
}

// fetched stages what is asked for, of the one file of these tests.
func (w *twoCopies) fetched(c *testCopy, order Fetch) (answer Staged) {
	for _, item := range order.Items {
		err := c.root.Stage([]store.Piece{{Content: item.Hash, Size: int64(item.Size), Hash: item.Hash, Data: w.bytes()}})[0]
		answer.Pieces = append(answer.Pieces, StagedPiece{Content: item.Hash, Hash: item.Hash, Err: err})
	}
	return answer
}

// said holds a device to its word: when it says that it lacks nothing, what its
// database would be after a power cut says so too, and its disk has the file.
func (w *twoCopies) said(c *testCopy, body []byte) {
	w.t.Helper()
	said, err := decodeProgress(body)
	must(w.t, err)
	mine := said.Lines[0]
	if !mine.done() || w.gone {
		return
	}
	c.zeros++
	must(w.t, c.db.Image().View(func(tx kv.Tx) error {
		rep, err := replica.Open(tx, replica.Config{Space: c.cfg.Space, Applies: true, Authors: true})
		must(w.t, err)
		log, err := eventlog.Open(tx, c.cfg.Space)
		must(w.t, err)
		if status := rep.Status(tx); status.NeedFiles > 0 || status.Files != 1 || log.Frontier() != mine.Applied {
			w.t.Errorf("%s says that it lacks nothing, but what is committed lacks %d files and has %d", c.cfg.Cert.Name, status.NeedFiles, status.Files)
		}
		return nil
	}))
	if got := c.disk.User().Read("a.txt"); string(got) != "hello" {
		w.t.Errorf("%s says that it lacks nothing, but it has %q", c.cfg.Cert.Name, got)
	}
}

// run lets a time pass.
func (w *twoCopies) run(d time.Duration) {
	w.t.Helper()
	for end := w.now.Add(d); ; {
		for len(w.facts) > 0 {
			next := w.facts[0]
			w.facts = w.facts[1:]
			w.turn(next.to, next.what)
		}
		due := w.copies[0]
		if earliest(w.copies[1].machine.Deadline(), due.machine.Deadline()).Equal(w.copies[1].machine.Deadline()) {
			due = w.copies[1]
		}
		at := due.machine.Deadline()
		if at.IsZero() || at.After(end) {
			return
		}
		if at.After(w.now) {
			for _, c := range w.copies {
				c.disk.Advance(at.Sub(w.now))
			}
			w.now = at
		}
		w.turn(due)
	}
}

func TestADeviceSaysThatItLacksNothingWhenThatIsCommitted(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	for _, c := range w.copies {
		if c.zeros == 0 || string(c.disk.User().Read("a.txt")) != "hello" {
			t.Errorf("%s lacks something after a minute: %q", c.cfg.Cert.Name, c.disk.User().Paths(""))
		}
	}
}

// Each input that is written down once meets a database that does not commit.
func TestATurnThatIsNotCommittedReleasesNothing(t *testing.T) {
	for name, is := range map[string]func(what any) bool{
		"Heard":   func(what any) bool { heard, ok := what.(Heard); return ok && heard.Type != typeProgress },
		"Hashed":  func(what any) bool { _, ok := what.(Hashed); return ok },
		"Flushed": func(what any) bool { _, ok := what.(Flushed); return ok },
		"Applied": func(what any) bool { _, ok := what.(Applied); return ok },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTwoCopies(t)
			for _, c := range w.copies {
				c.refuse = func(in []any) bool { return w.failed == 0 && len(in) == 1 && is(in[0]) }
			}
			w.run(2 * time.Minute)
			if w.failed != 1 {
				t.Errorf("%d turns failed", w.failed)
			}
			for _, c := range w.copies {
				if c.zeros == 0 || string(c.disk.User().Read("a.txt")) != "hello" {
					t.Errorf("%s lacks something after two minutes: %q", c.cfg.Cert.Name, c.disk.User().Paths(""))
				}
			}
		})
	}
}

func TestAHomeWhoseTurnIsNotCommittedReleasesNothing(t *testing.T) {
	keys := keysOf(t, "one")
	db := kv.NewMemory()
	home, _, err := OpenHomeMachine(epoch, db, HomeConfig{Keys: keys, Cert: keys.Certify("one", 1)})
	must(t, err)
	db.Commit = func() error { return errNoCommit }
	other := keysOf(t, "two").Certify("two", 1)
	effects, err := home.Handle(epoch, []any{security.Met{Next: security.StepFound, Cert: other}, SaveTrust{[]byte("text")}})
	if len(effects) > 0 || !errors.Is(err, errNoCommit) {
		t.Errorf("%d effects, %v", len(effects), err)
	}
}

func TestAFolderForgetsItsDiskOnceWhenThatIsAnotherOne(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[1]
	must(t, c.db.Update(func(tx kv.Tx) error {
		tx.Put(BucketRoot, KeyForget, []byte{1})
		return nil
	}))
	must(t, c.root.Close())
	c.disk.User().Remove("a.txt")
	w.facts = nil
	w.open(c)
	must(t, c.db.View(func(tx kv.Tx) error {
		if tx.Get(BucketRoot, KeyForget) != nil {
			t.Error("it would forget again")
		}
		return nil
	}))
	w.run(time.Minute)
	for _, c := range w.copies {
		if got := c.disk.User().Read("a.txt"); string(got) != "hello" {
			t.Errorf("%s has %q", c.cfg.Cert.Name, got)
		}
	}
}
