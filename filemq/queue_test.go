package filemq

import "testing"

func order(q *queue, count int) (numbers []uint32) {
	for range count {
		numbers = append(numbers, q.next().Req)
		q.picked()
	}
	return numbers
}

func TestUrgentRequestsGoFirstAndOldOnesBeforeNew(t *testing.T) {
	var q queue
	for req, prio := range []uint8{7, 4, 0, 4, 0} {
		q.push(&serving{Gimme: Gimme{Req: uint32(req), Prio: prio}})
	}
	var got []uint32
	for r := q.next(); r != nil; r = q.next() {
		got = append(got, r.Req)
		q.remove(r)
	}
	for i, want := range []uint32{2, 4, 1, 3, 0} {
		if got[i] != want {
			t.Fatalf("order %v", got)
		}
	}
}

func TestEachSixteenthPickIsTheOldestOfTheLeastUrgent(t *testing.T) {
	var q queue
	for req, prio := range []uint8{0, 5, 5} {
		q.push(&serving{Gimme: Gimme{Req: uint32(req), Prio: prio}})
	}
	for i, req := range order(&q, 64) {
		want := uint32(0)
		if i%16 == 15 {
			want = 1
		}
		if req != want {
			t.Fatalf("pick %d is request %d", i, req)
		}
	}
}

// A turn that waits for credit is not lost to another request.
func TestATurnLastsUntilItIsPicked(t *testing.T) {
	var q queue
	q.picks = 15
	q.push(&serving{Gimme: Gimme{Req: 1, Prio: 7}})
	q.push(&serving{Gimme: Gimme{Req: 2, Prio: 0}})
	for range 3 {
		if req := q.next().Req; req != 1 {
			t.Errorf("the turn went to request %d", req)
		}
	}
}

func TestABumpToTheSamePriorityKeepsThePlace(t *testing.T) {
	p := newProvider(windowMin, RequestItemsMax)
	for req := range uint32(2) {
		p.accept(&serving{Gimme: Gimme{Req: req, Prio: 4, Items: []Item{{Size: 1}}}, slots: make([]slot, 1)})
	}
	p.bump(Bump{Req: 0, Prio: 4})
	if p.queue.next().Req != 0 {
		t.Error("the oldest lost its place")
	}
	p.bump(Bump{Req: 1, Prio: 3})
	if p.queue.next().Req != 1 {
		t.Error("the urgent does not go first")
	}
}
