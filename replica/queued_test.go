package replica

import "testing"

func TestWhatTookThePlaceOfADirectoryIsFoundThoughTheOneAboveIsRenamedMeanwhile(t *testing.T) {
	for jobs := range 12 {
		a, b := pairOf(t, func(u user) {
			u.write("dir/sub/x", "one")
			u.write("y", "two")
		})
		a.user().rename("dir", "other")
		a.scan()
		b.user().remove("dir/sub")
		b.user().rename("y", "dir/sub")
		b.rep.Hinted(b.now, nil, true)
		for range jobs {
			if !b.run() {
				b.pass(b.rep.Deadline())
			}
		}
		b.learn(a, -1)
		b.rest()
		sync(a, b)
		wantSame(a, b)
		a.wantFile("other/sub", "two")
	}
}
