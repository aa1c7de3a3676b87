package device

import (
	"testing"

	"github.com/zsync/zsync"
)

// runningWith is a device with folders of these labels, whose loops nobody runs.
func runningWith(labels ...Label) *Running {
	r := &Running{folders: make(map[zsync.SpaceID]*runningFolder)}
	for i, label := range labels {
		f := &runningFolder{reg: Registration{Label: label}, loop: newLoop(nil, nil, nil)}
		r.folders[spaceNamed(byte(i))] = f
	}
	return r
}

func TestAHaltedFolderIsNotTakenForAnEmptyOne(t *testing.T) {
	r := runningWith("Photos", "Music")
	halted, err := r.folderOf("Photos")
	must(t, err)
	close(halted.loop.done)
	const want = `this device keeps no folder "Photos", or it is halted`
	if _, err := r.Trash("Photos"); err == nil || err.Error() != want {
		t.Errorf("trash: %v", err)
	}
	if _, err := r.Conflicts("Photos"); err == nil || err.Error() != want {
		t.Errorf("conflicts: %v", err)
	}
	if err := r.History("Photos", nil); err == nil || err.Error() != want {
		t.Errorf("log: %v", err)
	}
	if err := halted.ask(func() error { return nil }); err == nil || err.Error() != `the folder "Photos" was closed` {
		t.Errorf("it ends while it is asked: %v", err)
	}
	if all, err := r.foldersOf(""); err != nil || len(all) != 1 || all[0].reg.Label != "Music" {
		t.Errorf("of all folders: %v, %v", all, err)
	}
}

func TestOfSeveralFoldersOneIsToBeNamed(t *testing.T) {
	r := runningWith("Photos", "Music")
	if _, err := r.folderOf(""); err == nil || err.Error() != "there are 2 folders: name one" {
		t.Errorf("%v", err)
	}
	if f, err := runningWith("Photos").folderOf(""); err != nil || f.reg.Label != "Photos" {
		t.Errorf("the only one: %v, %v", f, err)
	}
}
