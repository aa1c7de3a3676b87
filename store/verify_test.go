package store_test

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/zsync/zsync/store"
)

func TestVerifyReadsWhatAFailingDiskHasMadeOfAFile(t *testing.T) {
	r := newRoot(t)
	r.user.Write("file", made("x", 3<<20))
	old := r.user.Stat("file")
	r.user.Rot("file", made("y", 3<<20))
	verified := r.Verify(store.HashJob{Path: "file", Old: old})
	if verified.Err != nil || verified.Stat != old || verified.Content != content(made("y", 3<<20)) {
		t.Errorf("it finds %+v", verified)
	}
}

func TestVerifyTellsAMediumThatFailsFromAFileThatMayNotBeRead(t *testing.T) {
	for fault, want := range map[error]error{syscall.EIO: store.ErrMedium, syscall.EACCES: syscall.EACCES} {
		r := newRoot(t)
		r.user.Write("file", made("x", 3<<20))
		old := r.user.Stat("file")
		r.disk.Trouble(func(call string, _ bool) error {
			if call == "read" {
				return fmt.Errorf("read: %w", fault)
			}
			return nil
		})
		wantErr(t, r.Verify(store.HashJob{Path: "file", Old: old}).Err, want)
		r.disk.Trouble(nil)
	}
}

func TestAFolderThatIsClosedReadsNoFurther(t *testing.T) {
	r := newRoot(t)
	r.user.Write("file", made("x", 3<<20))
	job := store.HashJob{Path: "file", Old: r.user.Stat("file")}
	r.Stop()
	wantErr(t, r.Verify(job).Err, store.ErrStopped)
	wantErr(t, r.Hash(job).Err, store.ErrStopped)
}
