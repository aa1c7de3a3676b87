package replica

import (
	"strings"
	"testing"
)

// What a file held before it was renamed and edited is on its author's disk no more,
// so nothing may bring it back: everybody would wait for it.
func TestWhatAFileHeldBeforeItWasRenamedAndEditedNeverComesBack(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("file", "old") })
	for _, text := range []string{"one", "other"} { // the later of which wins over a's edit
		b.user().write("file", text)
		b.scan()
	}
	a.user().rename("file", "moved")
	a.user().write("moved", "edited")
	n := len(a.log)
	a.scan()
	a.wantOps(n, OpMove, OpPut)
	a.learn(b, -1)
	a.rest()
	a.wantFile("moved", "other")
	for name := range strings.FieldsSeq(a.names()) { // the conflict copy, and then the file where it was not renamed
		if name != "moved" {
			a.user().remove(name)
		}
	}
	a.scan()
	b.user().remove("file")
	b.scan()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("")
}
