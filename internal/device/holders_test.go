package device

import (
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

// why asks a copy for one path, and returns who has it.
func (c *testCopy) why(t *testing.T, path zsync.Path) (code string, has []string) {
	t.Helper()
	why, err := c.machine.Why(path, LinkStatus{})
	must(t, err)
	for _, h := range why.Holders {
		has = append(has, h.Name+" "+h.Has)
	}
	return why.Code, has
}

func TestWhyTellsWhichOtherDevicesHaveAFile(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	one, two := w.copies[0], w.copies[1]
	want := func(c *testCopy, path zsync.Path, holders ...string) {
		t.Helper()
		if code, has := c.why(t, path); code != "in-sync" || !slices.Equal(has, holders) {
			t.Errorf("%s: %s, %q", path, code, has)
		}
	}
	want(one, "a.txt", "two yes")
	want(two, "a.txt", "one yes")
	w.post(one, Unlinked{Device: two.cfg.Keys.Device()})
	w.post(two, Unlinked{Device: one.cfg.Keys.Device()})
	w.run(time.Second)
	w.writes(one, "b.txt")
	want(one, "a.txt", "two yes") // it had that
	want(one, "b.txt", "two no")
	want(two, "a.txt", "one yes")
	must(t, one.root.Close())
	w.open(one)
	w.facts = nil // it meets nobody
	w.run(time.Minute)
	want(one, "b.txt", "two unknown")
}
