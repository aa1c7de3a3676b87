package main

import (
	"errors"
	"testing"

	"github.com/zsync/zsync/internal/device"
)

func TestADeviceAtRestIsAskedAgainOnlyOnceItHasMoved(t *testing.T) {
	var moved uint64
	s := stillness{moved: func() uint64 { return moved }}
	for i, look := range []struct {
		moved uint64
		rests bool
		still bool
	}{
		{1, false, false},
		{1, false, false},
		{1, false, false}, // it is at work
		{1, true, true},
		{2, true, false},
		{2, true, false}, // which may have been before it showed
		{2, true, true},
		{2, true, true},
		{2, false, false},
	} {
		moved, s.rests = look.moved, look.rests
		if still := s.yes(); still != look.still {
			t.Errorf("look %d: %v", i, still)
		}
	}
	if unknown := (&stillness{rests: true}); unknown.yes() {
		t.Error("nobody tells when it moves")
	}
}

func TestADeviceThatDidNotAnswerIsAskedAgainThoughItWasAtRest(t *testing.T) {
	var moved uint64
	s := stillness{moved: func() uint64 { return moved }}
	var busy error
	asked := 0
	ask := func() (progress, error) {
		asked++
		return progress{state: device.StateInSync}, busy
	}
	for range 2 * stillLooks {
		s.look(ask)
	}
	if asked != stillLooks {
		t.Fatalf("asked %d times at rest", asked)
	}
	moved, busy = 1, errors.New("it is busy")
	for range 2 * stillLooks {
		if _, is, _ := s.look(ask); is {
			t.Error("something was said")
		}
	}
	if busy = nil; asked != 3*stillLooks {
		t.Errorf("asked %d times, the last %d without an answer", asked, asked-stillLooks)
	}
	if _, is, _ := s.look(ask); !is {
		t.Error("what it says at last is not shown")
	}
}
