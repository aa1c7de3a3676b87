package eventlog

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// widen has the founder of a space add strangers in concurrent events, each of
// which knows of nothing but the genesis.
func widen(founder *replica, events int) {
	founder.t.Helper()
	genesis := founder.events()[0].ID
	for i := range events {
		stranger := named(fmt.Sprint("stranger ", i)).device()
		founder.merge(founder.forge(string(stranger[:]), func(h *zsync.Header) {
			h.Kind, h.Auth = zsync.KindMember, []zsync.EventID{genesis}
		}))
	}
}

func TestAMemberKeepsItsRightHoweverWideTheMembershipFrontierIs(t *testing.T) {
	ann := founded(t, "ann")
	widen(ann, 30)
	var honest []*replica
	genesis := ann.events()[0].ID
	for i := range 6 {
		r := open(t, fmt.Sprint("honest ", i), ann.store, ann.log.Space())
		device := r.id.device()
		ann.merge(ann.forge(string(device[:]), func(h *zsync.Header) {
			h.Kind, h.Auth = zsync.KindMember, []zsync.EventID{genesis}
		}))
		honest = append(honest, r)
	}
	widen(ann, 60)
	for _, r := range honest {
		r.store = ann.store.Image()
		r.reopen()
		r.log.Use(r.id.author(ann.log.Space(), 0))
		first, second := r.write("first"), r.write("second")
		if first.Void || second.Void {
			t.Errorf("what %s says is void", r.id.name)
		}
		more := named("a friend").device()
		if r.append(zsync.KindMember, more[:]).Void || r.write("third").Void {
			t.Errorf("%s can no longer add a member", r.id.name)
		}
	}
}

func TestAnEventThatNamesAMembershipEventRestsOnItsAuthor(t *testing.T) {
	names := []string{"ann"}
	for i := range 3 * depsMax {
		names = append(names, fmt.Sprint("device ", i))
	}
	all := space(t, names...)
	ann := all[0]
	for i, r := range all[1:] {
		if i%2 == 0 {
			r.write("a photo")
			continue
		}
		stranger := named(fmt.Sprint("stranger ", i)).device()
		r.append(zsync.KindMember, stranger[:])
	}
	for _, r := range all[1:] {
		ann.merge(r.all()...)
	}
	e := ann.write("names many")
	rests := make(map[zsync.WriterID]bool)
	for _, dep := range e.Header.Deps {
		rests[dep.Writer] = true
	}
	if len(e.Header.Auth) != authMax || len(e.Header.Deps) != depsMax {
		t.Fatalf("%d auth, %d deps", len(e.Header.Auth), len(e.Header.Deps))
	}
	for _, other := range ann.events() {
		for _, id := range e.Header.Auth {
			if other.ID == id && !rests[other.Header.Writer] {
				t.Errorf("it names a member event of %s, and rests on no event of it", other.Header.Writer)
			}
		}
	}
}

// writersOf returns, for each of many writers of a member that knows nothing
// beyond base, its first two events.
func writersOf(base *replica, member identity, writers int) (all [][]Envelope) {
	base.t.Helper()
	for i := range writers {
		twin := open(base.t, member.name, base.store.Image(), base.log.Space())
		author := identity{fmt.Sprint(member.name, i/256), member.key}.author(base.log.Space(), byte(i%256))
		twin.log.Use(author)
		e := twin.write(fmt.Sprint("photo ", i))
		events := twin.events()
		opening := slices.IndexFunc(events, func(o Event) bool { return o.Header.Writer == author.id(base) && o.Header.Seq == 1 })
		all = append(all, []Envelope{twin.envelope(events[opening]), twin.envelope(e)})
	}
	return all
}

func (a Author) id(r *replica) zsync.WriterID { return WriterOf(a.public(), r.log.Space()) }

func TestADeviceThatOpensWritersWithoutEndCrowdsOutNobodyElse(t *testing.T) {
	all := space(t, "ann", "eve", "bob", "cat")
	ann, eve, bob, cat := all[0], all[1], all[2], all[3]
	flood := slices.Concat(writersOf(ann, eve.id, deviceWritersMax+60)...)
	ann.merge(flood...)
	reversed := slices.Clone(flood)
	slices.Reverse(reversed)
	refolded := false
	for chunk := range slices.Chunk(reversed, 50) {
		refolded = bob.merge(chunk...).Refold || refolded
	}
	if !refolded {
		t.Error("writers that were folded lost their places, and nobody was told to fold again")
	}
	if ann.log.Frontier() != bob.log.Frontier() || !slices.Equal(ann.meaning(), bob.meaning()) {
		t.Error("which writers count depends on who came first")
	}
	if got := ann.log.places(); got != 1+deviceWritersMax {
		t.Errorf("%d writers have a place", got)
	}
	frontier := bob.log.Frontier()
	if bob.reopen(); bob.log.Frontier() != frontier {
		t.Error("another log after reopening")
	}
	cat.merge(ann.all()...)
	if cat.write("cat's first").Void || cat.log.places() != 2+deviceWritersMax {
		t.Error("there is no room for cat")
	}
}

func TestWhatRestsOnACrowdedOutWriterIsTakenByAll(t *testing.T) {
	all := space(t, "ann", "eve", "bob", "cat", "dan")
	ann, eve, bob, cat, dan := all[0], all[1], all[2], all[3], all[4]
	flood := writersOf(ann, eve.id, deviceWritersMax+60)
	slices.SortFunc(flood, func(a, b []Envelope) int { return writerIn(a[0]).Compare(writerIn(b[0])) })
	highest := slices.Concat(flood[deviceWritersMax:]...)
	bob.merge(highest...) // bob knows only those that lose their places
	rests := bob.write("rests on some of them")
	ann.merge(slices.Concat(flood[:deviceWritersMax]...)...)
	before := ann.dump()
	for _, events := range flood[deviceWritersMax:] {
		ann.merge(events[0])
	}
	if ann.dump() != before {
		t.Error("a writer without a place that nothing rests on was stored")
	}
	n := join(t, ann, bob, cat, dan)
	n.link(0, 1)
	n.run(time.Minute)
	n.unlink(0, 1)
	n.link(0, 2) // ann has never stored what bob rests on, and passes it on
	n.run(time.Minute)
	n.unlink(0, 2)
	n.link(2, 3)
	n.run(time.Minute)
	n.agree()
	n.nothingWaits()
	if !counts(dan, rests) {
		t.Error("bob's event was lost")
	}
}

func writerIn(e Envelope) zsync.WriterID {
	h, err := parseHeader(e.Header)
	must(err)
	return h.Writer
}

func TestADeviceDoesNotCrowdOutItsOwnWriters(t *testing.T) {
	all := space(t, "ann", "eve")
	ann, eve := all[0], all[1]
	eve.merge(slices.Concat(writersOf(ann, eve.id, deviceWritersMax)...)...)
	eve.log.Use(identity{"one too many", eve.id.key}.author(eve.log.Space(), 0))
	before := eve.dump()
	err := eve.store.Update(func(tx kv.Tx) error {
		_, err := eve.log.Append(tx, zsync.KindFS, nil, 0, folk{})
		return err
	})
	if !errors.Is(err, ErrWriters) || !eve.log.OwnFull() || eve.dump() != before {
		t.Error(err)
	}
}

func TestAGenesisOfAnotherTypeIsRefused(t *testing.T) {
	ann := founded(t, "ann") // of a folder
	for expected, want := range map[Type]bool{Folder: true, Circle: false, 0: true} {
		r := open(t, "bob", kv.NewMemory(), ann.log.Space())
		r.log.Expect(expected)
		if m := r.merge(ann.all()...); r.log.HasGenesis() != want || (m.Bad == 0) != want {
			t.Errorf("expecting %d: genesis here is %v, %d bad", expected, r.log.HasGenesis(), m.Bad)
		}
	}
}
