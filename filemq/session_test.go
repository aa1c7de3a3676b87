package filemq

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

var testTime = time.Unix(1000, 0)

// opened returns a session that a peer with the given capabilities has greeted
// and whose first Output was taken.
func opened(t testing.TB, cfg Config, peer Dictionary) *Session {
	t.Helper()
	s := NewSession(testTime, cfg, false)
	s.Received(testTime, Encode(Ohai{Protocol: protocol, Version: protocolNum, Caps: peer}))
	if out := s.Output(); !out.Opened || out.Closed != "" {
		t.Fatalf("not open: %q", out.Closed)
	}
	return s
}

func capsOf(cfg Config) Dictionary { return cfg.withDefaults().capabilities().dictionary() }

// received delivers commands and returns what the session makes of them.
func received(s *Session, commands ...Command) Output {
	for _, c := range commands {
		s.Received(testTime, Encode(c))
	}
	return s.Output()
}

func sent(t testing.TB, out Output) (commands []Command) {
	for _, frame := range out.Send {
		c, err := Decode(frame)
		if err != nil {
			t.Fatal(err)
		}
		commands = append(commands, c)
	}
	return commands
}

func TestTheEndsAgreeOnTheLowerNumbers(t *testing.T) {
	peer := capsOf(Config{QueueMax: 2000, WindowMax: 3 << 20})
	s := opened(t, Config{}, append(peer, Pair{"max-colour", "7"}))
	if s.Room() != 2000 {
		t.Errorf("room for %d items", s.Room())
	}
	if s.fetcher.window.size != 3<<20 {
		t.Errorf("window of %d", s.fetcher.window.size)
	}
	if out := received(s, Nom{Credit: 3<<20 + 1}); out.Closed == "" {
		t.Error("more credit than agreed was taken")
	}
}

func TestPeersThatCannotKeepUpAreRefused(t *testing.T) {
	for _, caps := range []Dictionary{
		{{"zsync", "2"}, {"hash", "sha256"}},
		{{"zsync", "1"}, {"hash", "sha1,blake3"}},
		{{"zsync", "1"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-chunk", "1048575"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-frame", "65536"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-queue", "1023"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-window", "2097279"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-window", "-1"}},
		{{"zsync", "1"}, {"hash", "sha256"}, {"max-window", "99999999999999999999"}},
	} {
		s := NewSession(testTime, Config{}, false)
		out := received(s, Ohai{Protocol: protocol, Version: protocolNum, Caps: caps})
		if got := sent(t, out); len(got) != 1 || got[0] != (Rtfm{Reason: "caps"}) {
			t.Errorf("%v was answered by %v", caps, got)
		}
	}
}

// Answers that come when nobody waits, after the end as well, are no fault.
func TestAClosedSessionIgnoresEverything(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	req, _ := s.Request(testTime, Request{Items: []Item{{Size: 1}}})
	received(s, Nom{Credit: 1 << 20}, Gimme{Req: 1, Items: []Item{{Size: 1}}})
	s.Close(testTime, "done")
	if out := s.Output(); len(out.Missing) != 1 || out.Missing[0].Code != CodeLost || out.Closed != "done" {
		t.Errorf("missing %v, closed %q", out.Missing, out.Closed)
	}
	s.Supplied(testTime, 1, 0, []byte{1})
	s.Refused(testTime, 1, 0, CodeRead)
	s.Disposed(testTime, 1<<40)
	s.BadItem(testTime)
	s.Cancel(testTime, req)
	s.Bump(testTime, req, 0)
	s.Close(testTime, "again")
	s.Advance(testTime.Add(time.Hour))
	_, ok := s.Request(testTime, Request{Items: []Item{{Size: 1}}})
	out := received(s, Hugz{})
	if ok || s.Room() != 0 || !s.Deadline().IsZero() || len(out.Send) > 0 || out.Closed != "" {
		t.Errorf("still alive: %+v", out)
	}
}

func TestAnswersToWhatIsNotReadAreIgnored(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	received(s, Nom{Credit: 1 << 20}, Gimme{Req: 1, Items: []Item{{Size: 1}, {Size: 1}}})
	s.Supplied(testTime, 1, 0, []byte{1})
	s.Supplied(testTime, 1, 0, []byte{1})
	s.Supplied(testTime, 1, 9, []byte{1})
	s.Refused(testTime, 2, 0, CodeRead)
	checkSession(t, s)
	s.Supplied(testTime, 1, 1, []byte{1})
	if got := sent(t, s.Output()); len(got) != 1 || len(got[0].(Bukkit).Items) != 2 {
		t.Errorf("sent %d frames, %v", len(got), got[1:])
	}
}

func TestImpossibleRequestsPanic(t *testing.T) {
	for name, q := range map[string]Request{
		"no items":          {},
		"too many":          {Items: make([]Item, RequestItemsMax+1)},
		"priority":          {Items: make([]Item, 1), Prio: 8},
		"a list of nothing": {Items: make([]Item, 1), Lists: true},
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			opened(t, Config{}, capsOf(Config{})).Request(testTime, q)
		})
	}
}

// What a request is about reaches both the one who reads and the one who asked.
func TestARequestSaysWhatItIsAbout(t *testing.T) {
	of := zsync.Digest{9}
	s := opened(t, Config{}, capsOf(Config{}))
	q := Request{Space: testSpace, Of: of, Lists: true, Prio: 1, Items: []Item{{hashA, 7, 1}}}
	req, _ := s.Request(testTime, q)
	gimme := sent(t, s.Output())[0].(Gimme)
	read := received(s, Nom{Credit: 1 << 20}, gimme).Reads[0]
	if want := (Read{Req: 1, Space: testSpace, Of: of, Hash: hashA, Lists: true, Offset: 7, Size: 1}); read != want {
		t.Errorf("read %+v", read)
	}
	got := received(s, Bukkit{Req: req, Items: []BukkitItem{{Data: []byte{5}}}}).Got[0]
	if want := (Wanted{Req: req, Space: testSpace, Of: of, Lists: true, Item: q.Items[0]}); got.Wanted != want || got.Data[0] != 5 {
		t.Errorf("got %+v", got)
	}
}

func TestALargeItemTravelsAloneAmongSmallOnes(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	sizes := []int{100, bundledBytesMax + 1, bundledBytesMax, 100}
	gimme := Gimme{Req: 1}
	for _, size := range sizes {
		gimme.Items = append(gimme.Items, Item{Size: uint32(size)})
	}
	received(s, Nom{Credit: 1 << 20}, gimme)
	for index, size := range sizes {
		s.Supplied(testTime, 1, uint16(index), make([]byte, size))
	}
	got := sent(t, s.Output())
	if len(got) != 2 || len(got[0].(Bukkit).Items) != 1 || got[0].(Bukkit).Items[0].Index != 1 || len(got[1].(Bukkit).Items) != 3 {
		t.Errorf("sent %d frames", len(got))
	}
}

func TestWhatIsSuppliedInPlaceTravelsLikeWhatIsCopied(t *testing.T) {
	for _, size := range []int{1, bundledBytesMax, bundledBytesMax + 1, ItemBytesMax} {
		data := bytes.Repeat([]byte{1, 2, 3, 4, 5}, size/5+1)[:size]
		gimme := Gimme{Req: 1, Items: []Item{{Size: uint32(size)}, {Size: uint32(size)}}}
		var frames [2][][]byte
		for i := range frames {
			s := opened(t, Config{}, capsOf(Config{}))
			received(s, Nom{Credit: 4 << 20}, gimme)
			s.Output()
			for index := range uint16(2) {
				frame := append(make([]byte, Headroom), data...)
				if i == 0 {
					s.Supplied(testTime, 1, index, data)
					continue
				}
				if sent := s.SuppliedInPlace(testTime, 1, index, frame); sent != Alone(size) {
					t.Errorf("%d octets: sent in place: %v", size, sent)
				} else if !sent {
					clear(frame)
				}
			}
			frames[i] = s.Output().Send
		}
		if len(frames[0]) == 0 || !slices.EqualFunc(frames[0], frames[1], bytes.Equal) {
			t.Errorf("%d octets: other frames", size)
		}
	}
}

func TestAFrameOfWhatChangedOrIsCompressedIsNotSentInPlace(t *testing.T) {
	cfg := Config{Compress: true}
	s := opened(t, cfg, capsOf(cfg))
	s.provider.line.slow = true
	received(s, Nom{Credit: 4 << 20}, Gimme{Req: 1, Compress: true, Items: []Item{{Size: ItemBytesMax}, {Size: ItemBytesMax}}})
	if s.SuppliedInPlace(testTime, 1, 0, make([]byte, Headroom+ItemBytesMax)) {
		t.Error("noughts were sent as they are")
	}
	if s.SuppliedInPlace(testTime, 1, 1, make([]byte, Headroom+ItemBytesMax-1)) {
		t.Error("what became shorter was sent")
	}
	if got := sent(t, s.Output()); !got[0].(Bukkit).Items[0].Compressed || got[1].(Noez).Items[0].Code != CodeChanged {
		t.Errorf("sent %d frames, %v", len(got), got[1:])
	}
}

func TestSessionsBesideAnotherAreOpenedOnlyWhereBothEndsKnowOfThem(t *testing.T) {
	for _, c := range []struct{ own, peer, want int }{{7, 7, 7}, {7, 3, 3}, {2, 7, 2}, {0, 7, 0}, {7, 0, 0}} {
		s := opened(t, Config{BesideMax: c.own}, capsOf(Config{BesideMax: c.peer}))
		if got := s.BesideMax(); got != c.want {
			t.Errorf("%d and %d make %d, want %d", c.own, c.peer, got, c.want)
		}
	}
	caps := append(capsOf(Config{}), Pair{capMore, "-1"})
	s := NewSession(testTime, Config{BesideMax: 7}, false)
	if out := received(s, Ohai{Protocol: protocol, Version: protocolNum, Caps: caps}); out.Closed == "" {
		t.Error("less than no sessions were agreed on")
	}
}

func TestASessionBesideAnotherSaysSo(t *testing.T) {
	greeting := func(cfg Config) []byte { return NewSession(testTime, cfg, true).Output().Send[0] }
	for what, c := range map[string]struct {
		frame []byte
		want  bool
	}{
		"one beside another": {greeting(Config{BesideMax: 7, Beside: true}), true},
		"the first":          {greeting(Config{BesideMax: 7}), false},
		"one of today":       {greeting(Config{}), false},
		"no greeting":        {Encode(Hugz{}), false},
		"no frame":           {[]byte{0xAA}, false},
	} {
		if IsBeside(c.frame) != c.want {
			t.Errorf("%s: %t", what, !c.want)
		}
	}
}
