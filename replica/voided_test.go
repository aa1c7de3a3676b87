package replica

import (
	"testing"
	"time"
)

// A file that was moved into a new directory, of which the log hears nothing in the
// end, is still known to have been there: so its deletion is found.
func TestAFileDeletedInADirectoryThatTurnedOutVoidIsDeleted(t *testing.T) {
	a, b := pairOf(t, nil)
	a.user().write("file", "old")
	a.user().write("other", "stays")
	a.scan()
	n := len(a.log)
	a.user().mkdir("new")
	a.user().rename("file", "new/file")
	a.user().rename("other", "new/other")
	a.scan()
	a.user().remove("new/file")
	b.learn(a, -1)
	void(n, a, b)
	sync(a, b)
	wantSame(a, b)
	a.wantNames("new new/other")
	b.wantFile("new/other", "stays")
}

// As after a backup of the device was restored: all that it said in its last days lies
// past a cut.
func TestWhatLiesInADirectoryThatTurnedOutVoidIsNotHashedAgain(t *testing.T) {
	a := newBox(t, 'a')
	a.user().write("dir/sub/x", "one")
	a.user().write("dir/y", "two")
	a.scan()
	a.wait(10 * time.Second) // nothing is young any more
	a.scan()
	a.noHash = true
	void(0, a)
	a.scan()
	if i := len(a.log) - 1; a.log[i].Void {
		t.Fatal("nothing is logged anew")
	}
	a.wantFile("dir/sub/x", "one")
}
