package main

import "testing"

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
