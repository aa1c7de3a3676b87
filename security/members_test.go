package security

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// space is a log as Members sees it: events in the order in which a test makes
// them, one writer a device.
type space struct {
	t     *testing.T
	store *kv.Memory
	seq   map[zsync.WriterID]uint64
	next  uint64
}

func newSpace(t *testing.T) *space {
	return &space{t: t, store: kv.NewMemory(), seq: make(map[zsync.WriterID]uint64)}
}

func writerOf(device zsync.DeviceID) zsync.WriterID { return zsync.WriterID(device[:16]) }

func (s *space) say(author Certificate, kind zsync.Kind, body []byte, auth ...zsync.EventID) (zsync.EventID, bool) {
	s.t.Helper()
	writer := writerOf(author.Device())
	s.seq[writer]++
	h := zsync.Header{Kind: kind, Writer: writer, Seq: s.seq[writer], Auth: auth, Space: zsync.SpaceID{9}}
	if kind == zsync.KindGenesis {
		h.Space = zsync.SpaceID{}
	}
	return s.admit(h, author, body)
}

func (s *space) admit(h zsync.Header, author Certificate, body []byte) (zsync.EventID, bool) {
	s.t.Helper()
	s.next++
	var id zsync.EventID
	binary.BigEndian.PutUint64(id[:], s.next)
	admitted := false
	ok(s.t, s.store.Update(func(tx kv.Tx) error {
		admitted = OpenMembers(tx).Admit(tx, h, id, author.Device(), body)
		return nil
	}))
	return id, admitted
}

// founded returns a space of the given founder.
func founded(t *testing.T, founder Certificate) (*space, zsync.EventID) {
	t.Helper()
	s := newSpace(t)
	genesis, admitted := s.say(founder, zsync.KindGenesis, nil)
	expect(t, admitted, true)
	return s, genesis
}

func (s *space) right(of Certificate) (right Right) {
	s.t.Helper()
	ok(s.t, s.store.View(func(tx kv.Tx) error {
		right = OpenMembers(tx).Right(tx, of.Device())
		return nil
	}))
	return right
}

func (s *space) list() (list []Member) {
	s.t.Helper()
	ok(s.t, s.store.View(func(tx kv.Tx) error {
		list = OpenMembers(tx).List(tx)
		return nil
	}))
	return list
}

func TestFounderIsAdminAndNobodyElseIsAnything(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, _ := founded(t, laptop)
	expect(t, s.right(laptop), RightAdmin)
	expect(t, s.right(box), RightNone)
	_, admitted := s.say(laptop, zsync.KindFS, nil)
	expect(t, admitted, true)
	_, admitted = s.say(box, zsync.KindFS, nil)
	expect(t, admitted, false)
}

func TestThereIsOneGenesis(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, _ := founded(t, laptop)
	_, admitted := s.say(box, zsync.KindGenesis, nil)
	expect(t, admitted, false)
	_, admitted = s.admit(zsync.Header{Kind: zsync.KindGenesis, Writer: writerOf(laptop.Device()), Seq: 2}, laptop, nil)
	expect(t, admitted, false)
	s = newSpace(t)
	_, admitted = s.admit(zsync.Header{Kind: zsync.KindGenesis, Seq: 2}, laptop, nil)
	expect(t, admitted, false)
	_, admitted = s.admit(zsync.Header{Kind: zsync.KindGenesis, Seq: 1, Space: zsync.SpaceID{1}}, laptop, nil)
	expect(t, admitted, false)
	expect(t, len(s.list()), 0)
}

func TestAddedDeviceMaySpeakOnceItNamesTheEventThatAddedIt(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, _ := founded(t, laptop)
	added, admitted := s.say(laptop, zsync.KindMember, AddBody(RightFull, box))
	expect(t, admitted, true)
	expect(t, s.right(box), RightFull)
	_, admitted = s.say(box, zsync.KindWriterOpen, nil)
	expect(t, admitted, false)
	_, admitted = s.say(box, zsync.KindFS, nil, added)
	expect(t, admitted, true)
	_, admitted = s.say(box, zsync.KindFS, nil)
	expect(t, admitted, true)
}

func TestFullRightDoesNotReachTheMembership(t *testing.T) {
	laptop, box, phone := certOf(t, "laptop"), certOf(t, "box"), certOf(t, "phone")
	s, _ := founded(t, laptop)
	added, _ := s.say(laptop, zsync.KindMember, AddBody(RightFull, box))
	for _, body := range [][]byte{AddBody(RightFull, phone), AddBody(RightAdmin, box)} {
		_, admitted := s.say(box, zsync.KindMember, body, added)
		expect(t, admitted, false)
	}
	expect(t, s.right(box), RightFull)
	expect(t, s.right(phone), RightNone)
}

func TestVoidMembershipEventGivesNothingToThoseWhoNameIt(t *testing.T) {
	laptop, thief, friend := certOf(t, "laptop"), certOf(t, "thief"), certOf(t, "friend")
	s, genesis := founded(t, laptop)
	stolen, admitted := s.say(thief, zsync.KindMember, AddBody(RightAdmin, thief, friend), genesis)
	expect(t, admitted, false)
	_, admitted = s.say(thief, zsync.KindFS, nil, stolen, genesis)
	expect(t, admitted, false)
	_, admitted = s.say(friend, zsync.KindMember, AddBody(RightAdmin, friend), stolen)
	expect(t, admitted, false)
	expect(t, len(s.list()), 1)
}

func TestAdminMayAddAdminsWhoMayAddOthers(t *testing.T) {
	laptop, box, phone := certOf(t, "laptop"), certOf(t, "box"), certOf(t, "phone")
	s, _ := founded(t, laptop)
	first, _ := s.say(laptop, zsync.KindMember, AddBody(RightAdmin, laptop, box))
	second, admitted := s.say(box, zsync.KindMember, AddBody(RightAdmin, phone), first)
	expect(t, admitted, true)
	// phone names only the last event: what that one knew comes with it.
	_, admitted = s.say(phone, zsync.KindFS, nil, second)
	expect(t, admitted, true)
	_, admitted = s.say(box, zsync.KindFS, nil, second)
	expect(t, admitted, true)
	_, admitted = s.say(laptop, zsync.KindFS, nil, second)
	expect(t, admitted, true)
}

func TestWhoNamesAnOlderFrontierHasTheOlderRight(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, genesis := founded(t, laptop)
	added, _ := s.say(laptop, zsync.KindMember, AddBody(RightFull, box))
	_, admitted := s.say(box, zsync.KindFS, nil, added)
	expect(t, admitted, true)
	_, admitted = s.say(box, zsync.KindFS, nil, genesis)
	expect(t, admitted, false)
	_, admitted = s.say(box, zsync.KindFS, nil)
	expect(t, admitted, false)
	_, admitted = s.say(box, zsync.KindFS, nil, added)
	expect(t, admitted, true)
}

func TestAnAddNeverTakesARightAway(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, _ := founded(t, laptop)
	s.say(laptop, zsync.KindMember, AddBody(RightAdmin, box))
	last, admitted := s.say(laptop, zsync.KindMember, AddBody(RightFull, box, laptop))
	expect(t, admitted, true)
	expect(t, s.right(box), RightAdmin)
	_, admitted = s.say(laptop, zsync.KindMember, AddBody(RightFull, certOf(t, "phone")))
	expect(t, admitted, true)
	_, admitted = s.say(box, zsync.KindMember, AddBody(RightFull, certOf(t, "tablet")), last)
	expect(t, admitted, true)
}

func TestOfManyMembershipEventsTheFirstWithTheStrongestRightIsFound(t *testing.T) {
	laptop, box, phone, stranger := certOf(t, "laptop"), certOf(t, "box"), certOf(t, "phone"), certOf(t, "stranger")
	s, genesis := founded(t, laptop)
	add := func(right Right, cert Certificate, auth ...zsync.EventID) zsync.EventID {
		id, admitted := s.say(laptop, zsync.KindMember, AddBody(right, cert), auth...)
		expect(t, admitted, true)
		return id
	}
	full := add(RightFull, box, genesis)
	other := add(RightAdmin, phone, full) // box has its right in the past of this one, too
	admin := add(RightAdmin, box, genesis)
	later := add(RightFull, phone, admin)
	for _, test := range []struct {
		device Certificate
		among  []zsync.EventID
		want   zsync.EventID
		found  bool
	}{
		{box, []zsync.EventID{other, full}, other, true},
		{box, []zsync.EventID{full, other}, full, true},
		{box, []zsync.EventID{other, later, admin}, later, true},
		{laptop, []zsync.EventID{later, genesis}, later, true},
		{phone, []zsync.EventID{full, admin}, zsync.EventID{}, false},
		{stranger, []zsync.EventID{other, later}, zsync.EventID{}, false},
		{box, nil, zsync.EventID{}, false},
	} {
		ok(t, s.store.View(func(tx kv.Tx) error {
			got, found := OpenMembers(tx).Granting(tx, test.among, test.device.Device())
			expect(t, got, test.want)
			expect(t, found, test.found)
			return nil
		}))
	}
}

func TestListNamesEveryMemberByItsNewestCertificate(t *testing.T) {
	laptop, box := certOf(t, "laptop"), keysOf(t, "box")
	s, _ := founded(t, laptop)
	list := s.list()
	expect(t, len(list), 1)
	expect(t, list[0].Cert.IsZero(), true)

	newest := box.Certify("cloud", 3)
	for _, cert := range []Certificate{box.Certify("box", 1), newest, box.Certify("old box", 2)} {
		s.say(laptop, zsync.KindMember, AddBody(RightFull, laptop, cert))
	}
	list = s.list()
	expect(t, len(list), 2)
	expect(t, slices.IsSortedFunc(list, func(a, b Member) int { return a.Device.Compare(b.Device) }), true)
	for _, member := range list {
		want, right := laptop, RightAdmin
		if member.Device == box.Device() {
			want, right = newest, RightFull
		}
		expect(t, string(member.Cert.Encoded), string(want.Encoded))
		expect(t, member.Cert.Name, want.Name)
		expect(t, member.Right, right)
	}
}

func TestMalformedMembershipEventIsVoid(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	forged := bytes.Replace(AddBody(RightFull, box), []byte("box"), []byte("fox"), 1)
	for what, body := range map[string][]byte{
		"empty":          {},
		"no operation":   {0x80},
		"forged":         forged,
		"half good":      wire.Marshal([]memberOp{{opAdd, box.Encoded, 2}, {opAdd, []byte{0xa0}, 2}}),
		"another op":     wire.Marshal([]memberOp{{2, box.Encoded, 2}}),
		"no right":       wire.Marshal([]memberOp{{opAdd, box.Encoded, 0}}),
		"unknown right":  wire.Marshal([]memberOp{{opAdd, box.Encoded, 3}}),
		"a wide right":   wire.Marshal([]memberOp{{opAdd, box.Encoded, 257}}),
		"trailing":       append(AddBody(RightFull, box), 0),
		"not an add":     wire.Marshal(box.Encoded),
		"too many of it": wire.Marshal(slices.Repeat([]memberOp{{opAdd, box.Encoded, 2}}, MemberOpsMax+1)),
	} {
		s, _ := founded(t, laptop)
		if _, admitted := s.say(laptop, zsync.KindMember, body); admitted || s.right(box) != RightNone {
			t.Errorf("%s: admitted %v, right %v", what, admitted, s.right(box))
		}
	}
	s, _ := founded(t, laptop)
	h := zsync.Header{Kind: zsync.KindMember, Writer: writerOf(laptop.Device()), Seq: 2, KeyEpoch: 1, Space: zsync.SpaceID{9}}
	if _, admitted := s.admit(h, laptop, AddBody(RightFull, box)); admitted {
		t.Error("a sealed one is admitted")
	}
}

func TestEventsOfKindsNotKnownHereNeedARight(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, genesis := founded(t, laptop)
	for _, kind := range []zsync.Kind{zsync.KindWriterOpen, zsync.KindForkProof, zsync.KindFolder, zsync.KindConfirm, 200} {
		_, admitted := s.say(laptop, kind, nil)
		expect(t, admitted, true)
		_, admitted = s.say(box, kind, nil, genesis)
		expect(t, admitted, false)
	}
}

func TestTransactionThatFailsLeavesNoTraceOfAMember(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, _ := founded(t, laptop)
	before := dump(t, s.store, bucketMembers)
	var m *Members
	broken := errors.New("disk full")
	err := s.store.Update(func(tx kv.Tx) error {
		m = OpenMembers(tx)
		h := zsync.Header{Kind: zsync.KindMember, Writer: writerOf(laptop.Device()), Seq: 2}
		expect(t, m.Admit(tx, h, zsync.EventID{7}, laptop.Device(), AddBody(RightFull, box)), true)
		expect(t, m.Right(tx, box.Device()), RightFull)
		return broken
	})
	refused(t, err, broken)
	expect(t, slices.Equal(before, dump(t, s.store, bucketMembers)), true)
	ok(t, s.store.View(func(tx kv.Tx) error {
		expect(t, m.Right(tx, box.Device()), RightNone)
		return nil
	}))
}

func TestARightIsThatOfTheRecordAsItIsNow(t *testing.T) {
	laptop := certOf(t, "laptop")
	s, _ := founded(t, laptop)
	var m *Members
	device := laptop.Device()
	key := keyOf(ofDevice, device[:])
	for _, right := range []Right{RightAdmin, RightFull, RightAdmin} {
		ok(t, s.store.Update(func(tx kv.Tx) error {
			if m == nil {
				m = OpenMembers(tx)
			}
			put(tx, key, standing{right, laptop.Encoded})
			expect(t, m.Right(tx, device), right)
			expect(t, m.List(tx)[0].Cert.Name, laptop.Name)
			return nil
		}))
	}
	for range 2 { // a damaged one is not remembered
		refused(t, s.store.Update(func(tx kv.Tx) error {
			tx.Put(bucketMembers, key, []byte("damaged"))
			m.Right(tx, device)
			return nil
		}), errMembers)
	}
}

func TestForgottenMembersAreJudgedAnewFromNothing(t *testing.T) {
	laptop, box := certOf(t, "laptop"), certOf(t, "box")
	s, genesis := founded(t, laptop)
	fresh := dump(t, s.store, bucketMembers)
	added, _ := s.say(laptop, zsync.KindMember, AddBody(RightFull, box))
	_, admitted := s.say(box, zsync.KindFS, nil, added)
	expect(t, admitted, true)
	ok(t, s.store.Update(func(tx kv.Tx) error {
		m := OpenMembers(tx)
		m.Forget(tx)
		h := zsync.Header{Kind: zsync.KindGenesis, Writer: writerOf(laptop.Device()), Seq: 1}
		expect(t, m.Admit(tx, h, genesis, laptop.Device(), nil), true)
		return nil
	}))
	expect(t, slices.Equal(fresh, dump(t, s.store, bucketMembers)), true)
	expect(t, s.right(box), RightNone)
	_, admitted = s.say(box, zsync.KindFS, nil, added)
	expect(t, admitted, false)
}

func TestDamagedRecordFailsTheTransaction(t *testing.T) {
	laptop := certOf(t, "laptop")
	for _, what := range []byte{ofChain, ofDevice, ofRuling} {
		s, _ := founded(t, laptop)
		ok(t, s.store.Update(func(tx kv.Tx) error {
			var damaged []byte
			kv.ScanPrefix(tx, bucketMembers, []byte{what}, func(key, _ []byte) bool {
				damaged = slices.Clone(key)
				return false
			})
			tx.Put(bucketMembers, damaged, []byte("damaged"))
			return nil
		}))
		refused(t, s.store.View(func(tx kv.Tx) error {
			OpenMembers(tx)
			return nil
		}), errMembers)
	}
}

func TestMemberBodyKeepsItsForm(t *testing.T) {
	body := AddBody(RightAdmin, certOf(t, "laptop"), certOf(t, "box"))
	golden(t, "member", body)
	added, err := DecodeMemberBody(body)
	ok(t, err)
	expect(t, len(added), 2)
	expect(t, added[1].Device, certOf(t, "box").Device())
	expect(t, added[1].Right, RightAdmin)
	expect(t, added[1].Cert.Name, "box")
}

func TestAddBodyPanicsForNobody(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("an event that says nothing")
		}
	}()
	AddBody(RightFull)
}

func FuzzDecodeMemberBody(f *testing.F) {
	f.Add(AddBody(RightAdmin, certOf(f, "laptop"), certOf(f, "box")))
	f.Add(AddBody(RightFull, certOf(f, "phone")))
	f.Add([]byte{0x80})
	f.Fuzz(func(t *testing.T, body []byte) {
		added, err := DecodeMemberBody(body)
		if err != nil {
			return
		}
		ops := make([]memberOp, len(added))
		for i, a := range added {
			ops[i] = memberOp{opAdd, a.Cert.Encoded, uint64(a.Right)}
		}
		if !bytes.Equal(wire.Marshal(ops), body) {
			t.Fatalf("%x read as %+v", body, added)
		}
	})
}
