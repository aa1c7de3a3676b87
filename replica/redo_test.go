package replica

import "testing"

// A person edits a file that a batch is about to remove, and once the edit is logged
// deletes it. The batch was cut short, so it is found gone when the batch is redone.
func TestAFileEditedAndDeletedAroundABatchCutShortIsDeletedForAll(t *testing.T) {
	a, b, flush := sealed(t, func(u user) { u.remove("file") })
	b.user().write("file", "edited")
	b.scan()
	b.applyUnheard(flush)
	b.user().remove("file")
	b.die()
	sync(a, b)
	wantSame(a, b)
	a.wantNames("new")
}

// A conflict copy becomes the main version of its file by a batch that was planned
// before a person wrote another one there.
func TestAFileMadeWhileAConflictCopyTookItsPlaceInTheLogIsNotForgotten(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("file", "base") })
	b.user().write("file", "of b")
	b.scan()
	a.user().write("file", "of a")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	a.user().remove("file")
	a.user().write("new", "makes the batch wait for a flush")
	a.scan()
	b.learn(a, -1)
	b.run() // the content
	b.pass(b.rep.Deadline())
	flush := b.jobs
	b.jobs = nil
	a.rest()
	a.user().rename("file", "moved")
	a.scan()
	b.learn(a, -1)
	b.user().remove("file")
	b.scan()
	b.user().write("moved", "made there")
	b.scan()
	b.jobs = flush
	b.run()
	b.run()
	b.user().remove("moved")
	b.rest()
	sync(a, b)
	wantSame(a, b)
}
