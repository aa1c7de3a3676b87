package device

import "testing"

func TestMemoryIsGivenBackOnceWhenMuchWorkHasEnded(t *testing.T) {
	var l lull
	for i, look := range []struct {
		orders uint64
		over   bool
	}{
		{0, false},
		{lullMin - 1, false},
		{lullMin - 1, false}, // it was little
		{lullMin, false},     // it goes on
		{lullMin, true},
		{lullMin, false}, // it was done
		{lullMin + 3, false},
		{lullMin + 3, false}, // it was little
		{9 * lullMin, false},
		{9*lullMin + 1, false}, // it goes on
		{9*lullMin + 1, true},
	} {
		if over := l.see(look.orders); over != look.over {
			t.Errorf("look %d, %d orders: %v, wanted %v", i, look.orders, over, look.over)
		}
	}
}
