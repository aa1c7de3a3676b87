package filemq

import "testing"

func TestARationedSessionReadsNothingBeforeItIsTold(t *testing.T) {
	s := opened(t, Config{Rationed: true}, capsOf(Config{}))
	out := received(s, Nom{Credit: 3 * 1064}, Gimme{Req: 1, Prio: 4, Items: items(0, 3, 1000)}, Gimme{Req: 2, Prio: 1, Items: items(9, 1, 500)})
	if len(out.Send)+len(out.Reads) > 0 {
		t.Fatalf("it sent %d frames and ordered %d reads", len(out.Send), len(out.Reads))
	}
	if cost := s.Next(); cost != costOf(500) {
		t.Errorf("the next item costs %d, want the urgent one's %d", cost, costOf(500))
	}
	s.Order()
	s.Order()
	if reads := s.Output().Reads; len(reads) != 2 || reads[0].Req != 2 || reads[1].Req != 1 {
		t.Fatalf("ordered %v", reads)
	}
	if s.Reserved() != costOf(500)+costOf(1000) {
		t.Errorf("%d reserved", s.Reserved())
	}
	s.Supplied(testTime, 2, 0, data(9, 500))
	if s.Reserved() != costOf(1000) {
		t.Errorf("%d reserved after one was sent", s.Reserved())
	}
	s.Order()
	if s.Next() != 0 {
		t.Error("it would order more than there is credit for")
	}
	if received(s, Nom{Credit: 1000, Sequence: 1}); s.Next() != costOf(1000) {
		t.Errorf("the next item costs %d after there was credit for it", s.Next())
	}
}

func TestARationedSessionGivesCreditAsItIsTold(t *testing.T) {
	s := opened(t, Config{Rationed: true}, capsOf(Config{}))
	window := s.fetcher.window.size
	if s.Owed() != window {
		t.Fatalf("%d owed, want the window, %d", s.Owed(), window)
	}
	s.Grant(testTime, 7)
	s.Grant(testTime, window/2)
	noms := sent(t, s.Output())
	if len(noms) != 2 || noms[0] != (Nom{Credit: 7}) || noms[1] != (Nom{Credit: uint64(window / 2), Sequence: 1}) {
		t.Errorf("it said %v", noms)
	}
	if s.Grant(testTime, s.Owed()); s.Owed() != 0 {
		t.Errorf("%d owed after all was given", s.Owed())
	}
	s.Close(testTime, "going away")
	if s.Owed() != 0 || s.Next() != 0 || s.Reserved() != 0 {
		t.Error("a closed session owes something")
	}
}
