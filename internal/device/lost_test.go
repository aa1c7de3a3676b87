package device

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// keeper is a home of a device with the databases of its folders.
type keeper struct {
	t     *testing.T
	cfg   HomeConfig
	db    *kv.Memory
	home  *HomeMachine
	seeds byte
}

func newKeeper(t *testing.T, name string) *keeper {
	keys := keysOf(t, name)
	return &keeper{t: t, cfg: HomeConfig{Keys: keys, Cert: keys.Certify(name, 1)}, db: kv.NewMemory()}
}

// start opens the home as at a start, and returns what it has opened.
func (k *keeper) start() []OpenFolder {
	k.t.Helper()
	k.seeds++
	k.cfg.Seed = [32]byte{k.seeds}
	home, effects, err := OpenHomeMachine(epoch, k.db, k.cfg)
	must(k.t, err)
	k.home = home
	return opens(effects)
}

func (k *keeper) do(in ...any) []Effect {
	k.t.Helper()
	effects, err := k.home.Handle(epoch, in)
	must(k.t, err)
	return effects
}

func (k *keeper) watch(label Label) Registration {
	k.t.Helper()
	return opens(k.do(Watch{Registration: Registration{Label: label, Dir: "/" + string(label), Role: "sync"}}))[0].Registration
}

func opens(effects []Effect) (orders []OpenFolder) {
	for _, e := range effects {
		if order, ok := e.What.(OpenFolder); ok {
			orders = append(orders, order)
		}
	}
	return orders
}

// writer opens a folder's machine and returns which writer it would write as.
func (k *keeper) writer(db kv.Store, reg Registration) (writer zsync.WriterID, m *FolderMachine) {
	k.t.Helper()
	k.seeds++
	m, _, err := OpenFolderMachine(epoch, db, FolderConfig{Registration: reg, Keys: k.cfg.Keys, Cert: k.cfg.Cert, Seed: [32]byte{k.seeds}})
	must(k.t, err)
	must(k.t, db.View(func(tx kv.Tx) error {
		writer, _ = m.space.log.Next(tx)
		return nil
	}))
	return writer, m
}

func TestALossIsMadeUpForAtTheFirstOpeningOfASpaceHoweverLate(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	db := kv.NewMemory()
	before, _ := k.writer(db, k.watch("Photos"))
	must(t, k.db.Update(func(tx kv.Tx) error { NoteLoss(tx, Mark{7}); return nil }))
	k.start() // the folder's disk is away: it is not opened
	late, _ := k.writer(db, k.start()[0].Registration)
	again, _ := k.writer(db, k.start()[0].Registration)
	if late == before {
		t.Error("a space that was not open at the start after the loss goes on with its old writer")
	}
	if again != late {
		t.Error("one loss costs more than one writer")
	}
	fresh := kv.NewMemory()
	first, _ := k.writer(fresh, k.watch("Music"))
	second, _ := k.writer(fresh, k.start()[0].Registration)
	if first != second {
		t.Error("a space that was founded after the loss gets another writer")
	}
}

func TestTheCircleGetsANewWriterAfterALoss(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	k.do(security.Met{Next: security.StepFound, Cert: keysOf(t, "two").Certify("two", 1)})
	own := func() (writer zsync.WriterID) {
		must(t, k.db.View(func(tx kv.Tx) error {
			writer, _ = k.home.circle.log.Next(tx)
			return nil
		}))
		return writer
	}
	before := own()
	k.start()
	if own() != before {
		t.Error("a start costs a writer")
	}
	must(t, k.db.Update(func(tx kv.Tx) error { NoteLoss(tx, Mark{7}); return nil }))
	k.start()
	after := own()
	if after == before {
		t.Error("the circle goes on with its old writer")
	}
	k.start()
	if own() != after {
		t.Error("one loss costs two writers")
	}
}

func TestAFounderWhoseFolderDatabaseIsGoneWritesNothingTwice(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	db := kv.NewMemory()
	founder, old := k.writer(db, k.watch("Photos"))
	k.cfg.Cert = k.cfg.Keys.Certify("renamed", 1)
	now, anew := k.writer(kv.NewMemory(), k.start()[0].Registration)
	if now == founder {
		t.Fatal("it writes as the writer whose events it has lost")
	}
	heads := make(map[zsync.WriterID]eventlog.Head)
	for _, head := range old.space.log.Heads() {
		heads[head.Writer] = head
	}
	for _, head := range anew.space.log.Heads() {
		was, known := heads[head.Writer]
		if known && head.Seq == was.Seq && head.ID != was.ID {
			t.Error("it wrote another event in the place of one that it has lost")
		}
		if known && head.Seq > 1 {
			t.Errorf("it wrote %d events of its old writer", head.Seq)
		}
	}
	if !anew.space.member {
		t.Error("it is no member of its own space")
	}
}

func TestADirectoryThatIsTakenUpAgainIsNotTakenForEmptied(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[1]
	must(t, c.root.Close())
	c.disk.User().Remove("a.txt")
	w.facts = nil
	c.cfg.Taken = Mark{1}
	w.open(c)
	w.run(time.Minute)
	for _, c := range w.copies {
		if got := c.disk.User().Read("a.txt"); string(got) != "hello" {
			t.Fatalf("%s has %q", c.cfg.Cert.Name, got)
		}
	}
	must(t, c.root.Close())
	w.open(c)
	if files := c.machine.status.Replica.Files; files != 1 {
		t.Errorf("at the next start it knows %d files: it forgot them again", files)
	}
}

func TestAFolderWhoseDirectoryIsGoneIsHaltedAndDeletesNothing(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[1]
	c.disk.User().Remove(".zsync/id") // as when the directory is another one
	c.disk.User().Remove("a.txt")
	effects, err := c.machine.Handle(w.now, []any{Hinted{All: true}})
	must(t, err)
	w.carry(c, effects)
	w.run(time.Second)
	st, err := c.machine.Status()
	must(t, err)
	if st.State != StateHalted || !strings.Contains(st.Why, "is missing or is another one") {
		t.Errorf("state %q, because %q", st.State, st.Why)
	}
	w.run(time.Minute)
	if got := w.copies[0].disk.User().Read("a.txt"); string(got) != "hello" {
		t.Errorf("the other one has %q", got)
	}
}

func TestTheOwnerIsToldOnceThatADirectoryIsGone(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[1]
	c.disk.User().Remove(".zsync/id")
	told := 0
	for range 3 {
		effects, err := c.machine.Handle(w.now, []any{Hinted{All: true}})
		must(t, err)
		for _, e := range effects {
			if order, ok := e.What.(ListDir); ok {
				more, err := c.machine.Handle(w.now, []any{Listed{c.root.List(order.Path)}})
				must(t, err)
				for _, e := range more {
					if _, ok := e.What.(LostRoot); ok {
						told++
					}
				}
			}
		}
		w.now = w.now.Add(time.Minute)
	}
	if told != 1 {
		t.Errorf("told %d times", told)
	}
}

// The circle's log takes no more of this device: here because its endorsement is of
// another space, in life because somebody has used up the time.
func TestAHomeWhoseCircleRefusesItsEventsOnlyListensAndGoesOn(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	k.do(security.Met{Next: security.StepFound, Cert: keysOf(t, "two").Certify("two", 1)})
	k.home.circle.log.Use(authorFor(k.cfg.Keys, spaceNamed(9), [16]byte{1}, 0))
	later := epoch.Add(confirmWait)
	effects, err := k.home.Handle(later, []any{
		security.Met{Next: security.StepSettled, Circle: k.home.circle.id, Cert: keysOf(t, "three").Certify("three", 1)},
		Watch{Registration: Registration{Label: "Photos", Dir: "/p"}},
	})
	must(t, err)
	if !strings.Contains(k.home.silent, "only listens") {
		t.Errorf("it says %q", k.home.silent)
	}
	if len(opens(effects)) != 1 {
		t.Errorf("%d folders opened", len(opens(effects)))
	}
	entered := false
	for _, e := range effects {
		enter, ok := e.What.(Enter)
		entered = entered || ok && enter.Space == k.home.circle.id
	}
	if !entered {
		t.Error("the circle's group was not entered anew")
	}
	if due := k.home.Deadline(); !due.IsZero() && !due.After(later) {
		t.Error("it turns for ever")
	}
	k.do(Watch{Registration: Registration{Label: "Music", Dir: "/m"}})
	if k.start(); k.home.silent != "" {
		t.Error("it does not try again at the next start")
	}
}

func TestOneDirectoryHasOneLabel(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	k.do(Watch{Registration: Registration{Label: "Photos", Dir: "/p"}})
	_, err := k.home.Handle(epoch, []any{Watch{Registration: Registration{Label: "Other", Dir: "/p"}}})
	var refused *Refusal
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "Photos") {
		t.Errorf("it says %v", err)
	}
}

func TestAFolderThatAPersonVouchesForIsOpenedAgain(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	reg := k.watch("Photos")
	effects := k.do(Watch{Registration: reg, Same: true})
	if len(effects) != 2 || effects[0].What != (CloseFolder{reg.Space}) || !opens(effects)[0].Same {
		t.Errorf("orders %v", effects)
	}
	if effects := k.do(Watch{Registration: reg}); len(effects) != 0 {
		t.Errorf("without a word of hers: %v", effects)
	}
}
