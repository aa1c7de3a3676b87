package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/zsync/zsync/store"
)

func TestAFileThatIsOpenToWriteIsNotHashedByWhoWantsItClosed(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the system does not tell")
	}
	dir := t.TempDir()
	disk, err := store.OpenOS(dir)
	must(t, err)
	root, err := store.Open(disk, store.Options{})
	must(t, err)
	defer root.Close()
	file, err := os.Create(filepath.Join(dir, "file"))
	must(t, err)
	_, err = file.WriteString("text")
	must(t, err)
	job := store.HashJob{Path: "file", Old: root.List("").Entries[0].Stat, Closed: true}
	wantErr(t, root.Hash(job).Err, store.ErrOpen)
	must(t, root.Hash(store.HashJob{Path: "file", Old: job.Old}).Err)
	must(t, file.Close())
	must(t, root.Hash(job).Err)
	file, err = os.OpenFile(filepath.Join(dir, "file"), os.O_WRONLY, 0) // which the lease held up for a moment at most
	must(t, err)
	must(t, file.Close())
}
