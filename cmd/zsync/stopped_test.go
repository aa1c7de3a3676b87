package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/kv/bolt"
)

func TestWhoReadsAStoppedDeviceDoesNotKeepItFromStarting(t *testing.T) {
	t.Parallel()
	s := newSides(t, "laptop")[0]
	must(t, os.WriteFile(filepath.Join(s.folder, "a.txt"), []byte("a"), 0o644))
	s.start()
	alone(t, s)
	s.end()
	spaces, err := filepath.Glob(home{s.home}.space("*"))
	if err != nil || len(spaces) != 1 {
		t.Fatal(spaces, err)
	}
	shown := 0
	start := func() error { // what a device does first with a folder
		shown++
		db, err := bolt.Open(spaces[0])
		if err != nil {
			return err
		}
		return db.Close()
	}
	p := &program{stdout: io.Discard, stderr: io.Discard, homeDir: s.home}
	must(t, p.tree(t.Context(), "", "", func(control.TreeLine) error { return start() }))
	must(t, p.history(t.Context(), "", func(control.Line) error { return start() }))
	if shown < 2 {
		t.Errorf("%d lines", shown)
	}
}

func TestNothingIsToldTwiceWhereADeviceStartsMeanwhile(t *testing.T) {
	told := 0
	tell := func(int) error {
		told++
		return nil
	}
	busy := fmt.Errorf("open database: %w", bolt.ErrLocked)
	if err := tellOnce(tell, func(func(int) bool) error { return busy }); !locked(err) {
		t.Errorf("nothing was told, and it is not tried again: %v", err)
	}
	err := tellOnce(tell, func(tell func(int) bool) error {
		tell(1)
		return busy
	})
	if err == nil || locked(err) || told != 1 {
		t.Errorf("%d told, %v", told, err)
	}
}
