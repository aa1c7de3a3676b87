package replica

import "testing"

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
