//go:build failpoint && linux

package main

import (
	"crypto/sha256"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

const (
	quietTime = time.Second // a content that has been on a disk for that long is one to be kept
	lookEvery = 100 * time.Millisecond
)

// ledger knows which contents have lain quietly on one disk, so that the disk must
// have them ever after: in its tree, under whatever name, or in its versions area.
// Only the person whose disk it is may make an end of one.
type ledger struct {
	folder string

	mutex sync.Mutex // its person tells it what she takes away
	since map[[32]byte]time.Time
	quiet map[[32]byte]string // where it lay last
	ever  int                 // entries there were, those taken away since too

	known map[look][32]byte // of the looking goroutine
}

// look is what says that a file has the bytes it had.
type look struct {
	inode        uint64
	size         int64
	mtime, ctime syscall.Timespec
}

func newLedger(folder string) *ledger {
	return &ledger{
		folder: folder, since: make(map[[32]byte]time.Time), quiet: make(map[[32]byte]string), known: make(map[look][32]byte),
	}
}

func (l *ledger) watch(stop chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-time.After(lookEvery):
			l.enter(l.present(filepath.Join(l.folder, zsync.PrivateDir)), time.Now())
		}
	}
}

// enter notes what was found by one look around.
func (l *ledger) enter(present map[[32]byte]string, now time.Time) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for content := range l.since {
		if _, there := present[content]; !there {
			delete(l.since, content)
		}
	}
	for content, path := range present {
		since, seen := l.since[content]
		if !seen {
			l.since[content] = now
		}
		if _, entered := l.quiet[content]; seen && now.Sub(since) >= quietTime {
			if !entered {
				l.ever++
			}
			l.quiet[content] = path
		}
	}
}

// taken says that the disk's own person has done away with a content.
func (l *ledger) taken(data []byte) {
	content := sha256.Sum256(data)
	l.mutex.Lock()
	defer l.mutex.Unlock()
	delete(l.since, content)
	delete(l.quiet, content)
}

// present returns the contents of all files in the folder but those below except.
// What is moved or written meanwhile may be missed.
func (l *ledger) present(except string) map[[32]byte]string {
	found := make(map[[32]byte]string)
	_ = filepath.WalkDir(l.folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return nil
		case path == except:
			return fs.SkipDir
		case entry.Type().IsRegular():
			if content, err := l.read(path); err == nil {
				found[content] = path
			}
		}
		return nil
	})
	return found
}

func (l *ledger) read(path string) (content [32]byte, err error) {
	info, err := os.Lstat(path)
	if err != nil {
		return content, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	at := look{stat.Ino, stat.Size, stat.Mtim, stat.Ctim}
	if content, known := l.known[at]; known {
		return content, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return content, err
	}
	content = sha256.Sum256(data)
	l.known[at] = content
	return content, nil
}

// check fails the test for each entry that the disk has no more; the device is at
// rest. It returns how many there were to be looked for.
func (l *ledger) check(t *testing.T, name string, elsewhere *ledger) (entries, lost int) {
	t.Helper()
	tmp := func(of *ledger) string { return filepath.Join(of.folder, zsync.PrivateDir, "tmp") }
	clear(l.known) // a look is no proof
	has, others := l.present(tmp(l)), elsewhere.present(tmp(elsewhere))
	for content, path := range l.quiet {
		if _, kept := has[content]; kept {
			continue
		}
		lost++
		where := "nowhere any more"
		if at, kept := others[content]; kept {
			where = "now at " + at
		}
		t.Errorf("%s lost %x, which lay quietly at %s and is %s", name, content[:6], path, where)
	}
	return len(l.quiet), lost
}
