package device

import (
	"fmt"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// lookAgain carries out the order as the disk's workers do.
func (c *testCopy) lookAgain(order LookAgain) (answer LookedAgain) {
	for _, file := range order.Files {
		changed, err := c.root.Recheck([]store.Kept{file.Kept})
		if len(changed) == 0 && err == nil {
			continue
		}
		path := file.Path
		if !file.Removed {
			path = store.LateName(path, file.Name)
		}
		_, err = c.root.BringBack(file.Name, path)
		answer.Late = append(answer.Late, BroughtBack{Kept: file.Name, Path: path, Err: err})
	}
	return answer
}

func TestWhatIsWrittenToARemovedFileThatIsHeldOpenComesBackEverywhere(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	w.gone = true
	one, two := w.copies[0], w.copies[1]
	one.disk.User().Remove("a.txt")
	w.post(one, Hinted{Dirs: []zsync.Path{""}})
	w.run(time.Second)
	if two.disk.User().Read("a.txt") != nil {
		t.Fatal("it was not removed")
	}
	kept := two.disk.User().Paths(".zsync/versions")
	two.disk.User().Write(kept[len(kept)-1], []byte("jello"))
	w.content = "jello"
	w.run(time.Minute)
	for _, c := range w.copies {
		if got := c.disk.User().Read("a.txt"); string(got) != "jello" {
			t.Errorf("%s has %q", c.cfg.Cert.Name, got)
		}
	}
}

func TestWhatABatchReplacedIsLookedAtTwoSecondsLater(t *testing.T) {
	old := store.Stat{Type: zsync.TypeFile, Size: 3}
	var l lateFiles
	changes := []store.Change{{Op: store.OpPlace, Path: "a", Old: &old}, {Op: store.OpRemove, Path: "b", Old: &old}, {Op: store.OpMkdir, Path: "c"}}
	l.applied(epoch, changes, []store.Result{{Kept: "000000/000000001~a"}, {Kept: "000000/000000002~b"}, {}})
	if due := l.take(epoch.Add(lateAfter - 1)); len(due) != 0 || l.deadline() != epoch.Add(lateAfter) {
		t.Errorf("too soon: %v", due)
	}
	due := l.take(epoch.Add(lateAfter))
	if len(due) != 2 || due[0].Removed || !due[1].Removed || due[1].Path != "b" || due[1].Stat != old || !l.deadline().IsZero() {
		t.Errorf("looked at: %+v", due)
	}
}

func TestNoMoreThanSomeThousandFilesWaitForAnotherLook(t *testing.T) {
	old := store.Stat{Type: zsync.TypeFile}
	var l lateFiles
	for batch := range 20 {
		var changes []store.Change
		var results []store.Result
		for i := range 2048 {
			changes = append(changes, store.Change{Op: store.OpRemove, Path: "x", Old: &old})
			results = append(results, store.Result{Kept: fmt.Sprintf("%d", batch*2048+i)})
		}
		l.applied(epoch, changes, results)
		l.take(epoch)
		if l.count > lateMax {
			t.Fatalf("%d wait", l.count)
		}
	}
}
