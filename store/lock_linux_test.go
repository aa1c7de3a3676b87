package store

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// A disk with a file that is open to be written to cannot be made read-only.
func TestAFolderAtRestHasNoFileOpenToBeWrittenTo(t *testing.T) {
	dir := t.TempDir()
	disk, err := OpenOS(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Close()
	root, err := Open(disk, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	below := 0
	for _, each := range open {
		path, err := os.Readlink(filepath.Join("/proc/self/fd", each.Name()))
		if err != nil || !strings.HasPrefix(path, dir) {
			continue // the directory of descriptors itself, or another's
		}
		below++
		fd, err := strconv.Atoi(each.Name())
		if err != nil {
			t.Fatal(err)
		}
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0); err != nil || flags&unix.O_ACCMODE != unix.O_RDONLY {
			t.Errorf("%s is open to be written to: %o, %v", path, flags, err)
		}
	}
	if below == 0 {
		t.Error("nothing of the folder is open")
	}
}
