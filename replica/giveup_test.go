package replica

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
)

// giveUp has a box give up the contents that nobody has, by the events that are void.
func (b *box) giveUp(lacking ...string) {
	b.t.Helper()
	var digests []zsync.Digest
	for _, text := range lacking {
		digests = append(digests, content(text))
	}
	b.fact(func(tx kv.Tx) {
		h := b.header()
		body := b.rep.GiveUp(tx, h.Writer, h.Seq, digests, func(yield func(eventlog.Event) bool) {
			for _, ev := range b.log {
				if ev.Void && !yield(ev) {
					return
				}
			}
		})
		if body != nil {
			b.logged(tx, h, body)
		}
	})
}

// A file was written, edited twice and written beside, and the second edit is in an
// event that lies past a cut.
func TestOnlyWhatWasEndedPastACutAndIsOnNoDiskIsGivenUp(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.write("x", "zero") })
	a.fetch = nil
	a.user().write("x", "one") // which b is never given
	a.scan()
	n := len(a.log)
	a.user().write("x", "two")
	a.scan()
	sync(a, b)
	wantSame(a, b)
	void(n, a, b)
	sync(a, b)
	if b.status().NeedFiles == 0 {
		t.Fatalf("nobody waits for what was edited away\n%s", b.state())
	}
	n = len(b.log)
	b.giveUp("zero", "two", "some other")
	b.wantOps(n)
	b.giveUp("one", "two")
	b.wantOps(n, OpDel)
	sync(a, b)
	wantSame(a, b)
	a.wantFile("x", "two")
	a.wantNames("x")
	b.giveUp("one", "two")
	b.wantOps(n, OpDel)
}

// It may take a while until a device may log that nobody had something, and somebody
// who has it may come before that.
func TestWhatHasComeMeanwhileIsNotGivenUp(t *testing.T) {
	for name, comes := range map[string]func(a, b *box){
		"it is staged": func(_, b *box) {
			b.fetch = func(zsync.Digest) ([]byte, bool) { return []byte("one"), true }
			b.run()
		},
		"its person has put it beside": func(_, b *box) {
			b.user().write("beside", "one")
			b.scan()
		},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := pairOf(t, func(u user) { u.write("x", "zero") })
			a.fetch, b.fetch = nil, nil
			a.user().write("x", "one")
			a.scan()
			b.learn(a, -1)
			b.rest()
			n := len(a.log)
			a.user().write("x", "two")
			a.scan()
			void(n, a)
			b.learn(a, -1)
			b.rest()
			if b.rep.contents.by[content("one")] == nil {
				t.Fatalf("it does not wait for it\n%s", b.state())
			}
			comes(a, b)
			n = len(b.log)
			b.giveUp("one")
			b.wantOps(n)
			b.fetch = nil
			b.rest()
			b.wantFile("x", "one")
		})
	}
}

// What a directory's author said of it counts no more, but the directory is in the
// folder as before, and so is what this disk has in it.
func TestWhatWasDeletedInADirectoryIsNotForgottenWhereThatWasMadeAnewPastACut(t *testing.T) {
	a, b := pairOf(t, func(u user) { u.mkdir("dir") })
	n := len(a.log)
	a.user().remove("dir")
	a.scan()
	a.user().mkdir("dir")
	a.scan()
	sync(a, b)
	cut := len(b.log)
	a.fetch = nil
	b.user().write("dir/file", "text")
	b.scan()
	b.user().remove("dir/file") // just before the cut is heard of
	for i := n; i < cut; i++ {
		a.log[i].Void, b.log[i].Void = true, true
	}
	void(len(a.log), a)
	void(len(b.log), b)
	b.scan()
	sync(a, b)
	wantSame(a, b)
	if need := a.status().NeedFiles + b.status().NeedFiles; need > 0 {
		t.Errorf("%d files are waited for\n%s", need, b.state())
	}
	a.wantNames("dir")
}
