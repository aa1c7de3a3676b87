package filemq

import (
	"errors"
	"math"
	"testing"

	"pgregory.net/rapid"
)

// checkSession fails if s does not keep what doc.go promises.
func checkSession(t reporter, s *Session) {
	t.Helper()
	w, p := &s.fetcher.window, &s.provider
	waiting, items := 0, 0
	for _, r := range s.fetcher.requests {
		waiting += r.left
	}
	var claims int64
	for _, r := range p.requests {
		items += claimsOf(r, &claims)
	}
	switch {
	case w.granted-w.disposed > w.size:
		t.Fatalf("granted %d, disposed %d, window %d", w.granted, w.disposed, w.size)
	case w.received > w.granted || w.disposed > w.received:
		t.Fatalf("granted %d, received %d, disposed %d", w.granted, w.received, w.disposed)
	case p.purse.left < 0 || p.purse.left+p.purse.reserved > p.purse.limit:
		t.Fatalf("left %d, reserved %d, limit %d", p.purse.left, p.purse.reserved, p.purse.limit)
	case p.purse.reserved != claims:
		t.Fatalf("reserved %d for claims of %d", p.purse.reserved, claims)
	case waiting != s.fetcher.waiting || items != p.items || items > p.queueMax:
		t.Fatalf("waiting %d, counted %d; serving %d, counted %d", waiting, s.fetcher.waiting, items, p.items)
	case len(p.requests) > RequestsMax || len(s.fetcher.requests) > RequestsMax:
		t.Fatalf("%d requests served, %d asked", len(p.requests), len(s.fetcher.requests))
	}
}

// claimsOf adds what r's items have reserved and returns how many are not done.
func claimsOf(r *serving, claims *int64) (items int) {
	for index, slot := range r.slots {
		switch {
		case slot.stage == reading:
			*claims += costOf(int(r.Items[index].Size))
		case slot.answered():
			continue
		case slot.stage == held && !refusedIn(slot.bundle, index):
			*claims += costOf(int(r.Items[index].Size))
		}
		items++
	}
	return items
}

func refusedIn(b *bundle, index int) bool {
	for _, item := range b.refused {
		if int(item.Index) == index {
			return true
		}
	}
	return false
}

// ledger is both ends of one direction and what lies between them.
type ledger struct {
	window    window
	purse     purse
	noms      []Nom   // on their way to the provider
	claims    []int64 // reserved, being read
	items     []int64 // on their way to the fetcher
	undone    []int64 // received, not disposed of
	granted   int64   // by NOMs that have arrived, ever
	spent     int64
	itemBytes int
}

func (l *ledger) draw(t *rapid.T, from *[]int64) (cost int64, ok bool) {
	if len(*from) == 0 {
		return 0, false
	}
	at := rapid.IntRange(0, len(*from)-1).Draw(t, "which")
	cost = (*from)[at]
	*from = append((*from)[:at:at], (*from)[at+1:]...)
	return cost, true
}

func (l *ledger) grant() {
	if credit := l.window.owed(); credit > 0 {
		l.noms = append(l.noms, l.window.grant(credit))
	}
}

func (l *ledger) deliverNom(t *rapid.T) {
	if len(l.noms) > 0 {
		l.granted += int64(l.noms[0].Credit)
		if err := l.purse.earn(l.noms[0]); err != nil {
			t.Fatal(err)
		}
		l.noms = l.noms[1:]
	}
}

func (l *ledger) reserve(t *rapid.T) {
	cost := costOf(rapid.IntRange(1, l.itemBytes).Draw(t, "octets"))
	if l.purse.reserve(cost) {
		l.claims = append(l.claims, cost)
	}
}

func (l *ledger) release(t *rapid.T) {
	if cost, ok := l.draw(t, &l.claims); ok {
		l.purse.release(cost)
	}
}

func (l *ledger) supply(t *rapid.T) {
	if cost, ok := l.draw(t, &l.claims); ok {
		l.purse.spend(cost)
		l.spent += cost
		l.items = append(l.items, cost)
	}
}

func (l *ledger) deliverItem(t *rapid.T) {
	if len(l.items) > 0 {
		if !l.window.receive(l.items[0]) {
			t.Fatalf("an honest provider overdrew: %d of %d", l.items[0], l.window.outstanding())
		}
		l.undone = append(l.undone, l.items[0])
		l.items = l.items[1:]
	}
}

func (l *ledger) dispose(t *rapid.T) {
	if cost, ok := l.draw(t, &l.undone); ok {
		l.window.dispose(cost)
		l.grant()
	}
}

func (l *ledger) check(t *rapid.T) {
	var claimed, undone int64
	for _, cost := range l.claims {
		claimed += cost
	}
	for _, cost := range l.undone {
		undone += cost
	}
	switch {
	case l.purse.reserved != claimed || l.purse.left < 0:
		t.Fatalf("reserved %d for claims of %d, left %d", l.purse.reserved, claimed, l.purse.left)
	case l.spent+claimed > l.granted || l.purse.left != l.granted-l.spent-claimed:
		t.Fatalf("spent %d, claimed %d, granted %d", l.spent, claimed, l.granted)
	case l.window.granted-l.window.disposed > l.window.size:
		t.Fatalf("granted %d, disposed %d", l.window.granted, l.window.disposed)
	case l.window.received-l.window.disposed != undone:
		t.Fatalf("received %d, disposed %d, undone %d", l.window.received, l.window.disposed, undone)
	}
}

// settle lets everything on its way arrive and be disposed of.
func (l *ledger) settle(t *rapid.T) {
	for len(l.noms)+len(l.claims)+len(l.items)+len(l.undone) > 0 {
		l.deliverNom(t)
		l.release(t)
		l.deliverItem(t)
		l.dispose(t)
	}
}

// Invariants 1 and 2: no order of events breaks the ledger, and when all is
// disposed of, the largest item fits, even into the smallest window.
func TestTheLedgerHoldsInEveryOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.SampledFrom([]int64{windowMin, windowMin + 1, 3*itemCostMax - 1, 8 << 20}).Draw(t, "window")
		l := &ledger{
			window: window{size: size}, purse: purse{limit: size},
			itemBytes: rapid.SampledFrom([]int{1, 4 << 10, ItemBytesMax}).Draw(t, "largest item"),
		}
		l.grant()
		t.Repeat(map[string]func(*rapid.T){
			"":             l.check,
			"deliver NOM":  l.deliverNom,
			"reserve":      l.reserve,
			"release":      l.release,
			"supply":       l.supply,
			"deliver item": l.deliverItem,
			"dispose":      l.dispose,
		})
		l.settle(t)
		if !l.purse.reserve(itemCostMax) {
			t.Fatalf("stalled with %d of %d octets of credit", l.purse.left, size)
		}
	})
}

func TestAnItemWaitsForItsLastOctetOfCredit(t *testing.T) {
	p := purse{limit: windowMin}
	if err := p.earn(Nom{Credit: itemCostMax - 1}); err != nil {
		t.Fatal(err)
	}
	if p.reserve(itemCostMax) {
		t.Error("reserved more than was granted")
	}
	if err := p.earn(Nom{Credit: 1, Sequence: 1}); err != nil {
		t.Fatal(err)
	}
	if !p.reserve(itemCostMax) || p.left != 0 || p.reserve(1) {
		t.Errorf("left %d, reserved %d", p.left, p.reserved)
	}
}

// Invariant 4.
func TestNomsThatWouldOverflowAreRefused(t *testing.T) {
	for _, test := range []struct {
		credit, sequence uint64
		want             error
	}{
		{1000, 1, nil},
		{1001, 1, errCredit},
		{0, 1, errCredit},
		{math.MaxUint64, 1, errCredit},
		{math.MaxInt64, 1, errCredit},
		{1, 0, errSequence},
		{1, 2, errSequence},
	} {
		p := purse{left: 3000, reserved: 6000, limit: 10000, noms: 1}
		if err := p.earn(Nom{test.credit, test.sequence}); !errors.Is(err, test.want) {
			t.Errorf("credit %d, sequence %d: %v, want %v", test.credit, test.sequence, err, test.want)
		}
	}
}

// Two items wait in a bundle for a third when all are cancelled.
func TestACancelledBundleGivesItsCreditBackOnce(t *testing.T) {
	s := opened(t, Config{}, capsOf(Config{}))
	out := received(s, Nom{Credit: windowMin}, Gimme{Req: 1, Items: items(0, 3, 1000)})
	if len(out.Reads) != 3 {
		t.Fatalf("%d reads", len(out.Reads))
	}
	purse := &s.provider.purse
	s.Supplied(testTime, 1, 0, make([]byte, 1000))
	s.Supplied(testTime, 1, 1, make([]byte, 1000))
	received(s, Nvm{Req: 1})
	checkSession(t, s)
	if purse.reserved != costOf(1000) {
		t.Errorf("reserved %d while one item is read", purse.reserved)
	}
	s.Supplied(testTime, 1, 2, make([]byte, 1000))
	checkSession(t, s)
	if purse.reserved != 0 || purse.left != windowMin {
		t.Errorf("reserved %d, left %d of %d", purse.reserved, purse.left, windowMin)
	}
}

func TestDisposingOfMoreThanCamePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	w := window{size: windowMin}
	w.grant(w.owed())
	w.receive(100)
	w.dispose(101)
}
