package replica

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

func TestMadeUpNamesKeepTheExtensionAndFitTheLimit(t *testing.T) {
	long := strings.Repeat("ä", 130)[:254]
	for _, c := range []struct{ name, want string }{
		{"a.txt", "a~123456.txt"},
		{"a", "a~123456"},
		{"a.tar.gz", "a.tar~123456.gz"},
		{".profile", ".profile~123456"},
		{"..a", ".~123456.a"},
		{"a.", "a~123456."},
		{"a." + strings.Repeat("e", 31), "a~123456." + strings.Repeat("e", 31)},
		{"a." + strings.Repeat("e", 32), "a." + strings.Repeat("e", 32) + "~123456"},
		{long, long[:248] + "~123456"},
		{"x" + long[:250] + ".jpg", "x" + long[:242] + "~123456.jpg"},
	} {
		got, whole := decorate(zsync.Name(c.name), "123456")
		if string(got) != c.want || !utf8.ValidString(string(got)) || len(got) > zsync.NameBytesMax {
			t.Errorf("%q became %q (%d octets), want %q", c.name, got, len(got), c.want)
		}
		if whole != (len(c.name)+7 <= zsync.NameBytesMax) {
			t.Errorf("%q: whole is %v", c.name, whole)
		}
	}
}

// rivals makes two files of one name and returns the name of the second.
func rivals(t *testing.T, name zsync.Name) (s *site, loser zsync.Name, id zsync.NodeID) {
	s = newSite(t, 1)
	s.script("put " + string(name) + " one")
	fresh := create(zsync.NodeID{}, name).file("two")
	fresh.Create = CreateFresh
	s.say(fresh)
	id = s.tree.freshID(zsync.WriterID{1}, 2, 0)
	s.view(func(tx kv.Tx) {
		node, _ := s.tree.nodeOf(tx, id)
		loser = s.tree.shown(tx, node).place.name
	})
	return s, loser, id
}

func TestMadeUpNamesGiveWayToWhatUsersNamedSo(t *testing.T) {
	s, loser, id := rivals(t, "a.txt")
	for n := 6; ; n = min(n+6, 32) {
		if want := "a~" + id.String()[:n] + ".txt"; string(loser) != want {
			t.Fatalf("the second a.txt is %q, want %q", loser, want)
		}
		s.wantDirty(s.author(Body{create(zsync.NodeID{}, loser).file("three")}))
		s.wantAsOracle()
		s.wantLookups()
		loser = s.nameOf(id)
		if n == 32 {
			break
		}
	}
	if want := "a~" + id.String() + "~2.txt"; string(loser) != want {
		t.Errorf("the second a.txt is %q, want %q", loser, want)
	}
}

func TestNameThatMustBeShortenedTakesTheWholeNodeIDAndStillGivesWay(t *testing.T) {
	name := zsync.Name(strings.Repeat("ä", 124) + ".jpg")
	s, loser, id := rivals(t, name)
	if want := strings.Repeat("ä", 109) + "~" + id.String() + ".jpg"; string(loser) != want {
		t.Fatalf("the second is %q, want %q", loser, want)
	}
	s.wantDirty(s.author(Body{create(zsync.NodeID{}, loser).file("three")}))
	s.wantAsOracle()
	s.wantLookups()
	if want := strings.Repeat("ä", 108) + "~" + id.String() + "~2.jpg"; string(s.nameOf(id)) != want {
		t.Errorf("the second is %q, want %q", s.nameOf(id), want)
	}
}

func (s *site) nameOf(id zsync.NodeID) (name zsync.Name) {
	s.view(func(tx kv.Tx) {
		node, _ := s.tree.nodeOf(tx, id)
		name = s.tree.shown(tx, node).place.name
	})
	return name
}

// conflicted makes two versions of one file by the operations numbered index of
// their events and returns what the copy is called.
func conflicted(t *testing.T, name zsync.Name, index int) (s *site, copied zsync.Name, writer eventlog.Event) {
	s = newSite(t, 1)
	var body Body
	for range index {
		body = append(body, create(zsync.NodeID{}, "other").file("one"))
	}
	writer = s.say(append(body, create(zsync.NodeID{}, name).file("one"))...)
	s.say(create(zsync.NodeID{}, name).file("two"))
	return s, s.copyOf(name), writer
}

func (s *site) copyOf(name zsync.Name) zsync.Name {
	_, look, _ := s.nodeAt(string(name))
	return look.copies[0].name
}

func TestCopyIsNamedAfterTheEventThatWroteIt(t *testing.T) {
	for _, c := range []struct {
		name, want string
		index      int
	}{
		{"a.txt", "a~conflict-20200913-122740-01de00-EVEN.txt", 0},
		{"a.txt", "a~conflict-20200913-122740-01de00-EVEN.3.txt", 3},
		{"a", "a~conflict-20200913-122740-01de00-EVEN.3", 3},
		{strings.Repeat("x", 216), strings.Repeat("x", 216) + "~conflict-20200913-122740-01de00-EVEN", 0},
		{strings.Repeat("x", 230), strings.Repeat("x", 156) + "~conflict-20200913-122740-01de00-EVENT.0", 0},
	} {
		s, got, writer := conflicted(t, zsync.Name(c.name), c.index)
		want := strings.ReplaceAll(c.want, "EVENT", writer.ID.String())
		want = strings.ReplaceAll(want, "EVEN", writer.ID.String()[:4])
		if string(got) != want {
			t.Errorf("operation %d on %q: copy %q, want %q", c.index, c.name, got, want)
		}
		s.wantAsOracle()
		s.wantLookups()
	}
}

func TestCopyGivesWayToWhatUsersNamedSo(t *testing.T) {
	for _, index := range []int{0, 3} {
		for _, name := range []zsync.Name{"a.txt", "a", zsync.Name(strings.Repeat("x", 255))} {
			s, copied, _ := conflicted(t, name, index)
			for range 3 {
				s.wantDirty(s.author(Body{create(zsync.NodeID{}, copied).file("three")}))
				s.wantAsOracle()
				s.wantLookups()
				if copied == s.copyOf(name) {
					t.Fatalf("two things are named %q", copied)
				}
				copied = s.copyOf(name)
			}
		}
	}
}

func TestCopyOfLogIsNotNamedAsTheCopyOfLog1(t *testing.T) {
	s := newSite(t, 1)
	ev := s.say(create(zsync.NodeID{}, "log.1").file("one"), create(zsync.NodeID{}, "log").file("two"))
	s.say(create(zsync.NodeID{}, "log").file("three"))
	s.say(create(zsync.NodeID{}, "log.1").file("four"))
	front := "log~conflict-20200913-122740-01de00-"
	for path, want := range map[zsync.Name]string{"log": front + ev.ID.String() + ".1", "log.1": front + ev.ID.String()[:4] + ".1"} {
		if got := s.copyOf(path); string(got) != want {
			t.Errorf("the copy of %s is %q, want %q", path, got, want)
		}
	}
	id, look, _ := s.nodeAt("log.1")
	s.wantDirty(s.author(Body{remove(id, append(look.copies[0].version.dots, look.main.dots...)...)}))
	if want := front + ev.ID.String()[:4] + ".1"; string(s.copyOf("log")) != want {
		t.Errorf("without a log.1 the copy of log is %q, want %q", s.copyOf("log"), want)
	}
	s.wantLookups()
	s.wantAsOracle()
}

func TestClockOfAnyKindMakesAName(t *testing.T) {
	for _, wall := range []uint64{0, 1 << 63, 1<<64 - 1} {
		s := newSite(t, 1)
		ev := s.author(Body{create(zsync.NodeID{}, "a").file("one")})
		ev.Header.WallMS = wall
		s.learn(ev)
		s.say(create(zsync.NodeID{}, "a").file("two"))
		if name := s.copyOf("a"); len(name) != len("a~conflict-20200913-122740-01de00-0000") {
			t.Errorf("at %d ms: %q", wall, name)
		}
	}
}
