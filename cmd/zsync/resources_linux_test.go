package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/zsync/zsync/internal/control"
)

// These tests take from a device what it needs of the machine: room, the right to
// write, open files, watches, time. It has to say so, lose nothing, and go on by
// itself. They need to mount, and skip where this process may not.

// mountTmpfs mounts memory as a disk of so many octets, and returns a directory on it.
func mountTmpfs(t *testing.T, dir string, size int64) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("a disk of its own needs the right to mount: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // it goes with the process
}

// testDir is a directory whose name is short, so that the path of a socket fits.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "z")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// twoSides are a laptop and a box that know each other, and do not run yet. prepare is
// called before anything is written.
func twoSides(t *testing.T, prepare func(dir string)) (laptop, box *side) {
	t.Helper()
	dir := testDir(t)
	prepare(dir)
	laptop, box = newSide(t, dir, "laptop"), newSide(t, dir, "box")
	laptop.zsync("pair", "--key", box.key, "--peer", box.listen)
	box.zsync("pair", "--key", laptop.key, "--peer", laptop.listen)
	return laptop, box
}

func startBoth(t *testing.T, sides ...*side) {
	t.Helper()
	for _, s := range sides {
		s.start()
	}
	for _, s := range sides {
		s.up()
	}
	sides[0].zsync("status", "--wait", "--timeout", patience.String())
}

// write puts a file into the folder of a side.
func (s *side) write(name, text string) {
	s.t.Helper()
	path := filepath.Join(s.folder, name)
	must(s.t, os.MkdirAll(filepath.Dir(path), 0o755))
	must(s.t, os.WriteFile(path, []byte(text), 0o644))
}

// says waits until the folder has a problem with that code, whose sentence holds want.
func (s *side) says(code, want string) {
	s.t.Helper()
	var said []control.Problem
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		st, err := s.status()
		if err != nil || len(st.Folders) != 1 {
			continue
		}
		said = st.Folders[0].Problems
		for _, p := range said {
			if p.Code == code && strings.Contains(p.Why, want) {
				return
			}
		}
	}
	s.t.Fatalf("%s never says %s: %q, but %+v\n%s", s.name, code, want, said, s.said())
}

// why waits until `zsync why` answers with a code, in a sentence that holds want.
func (s *side) why(path, code, want string) {
	s.t.Helper()
	var said string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		said = s.zsync("why", path)
		if strings.HasPrefix(said, path+": "+code+": ") && strings.Contains(said, want) {
			return
		}
	}
	s.t.Fatalf("%s: zsync why never says %s: %q, but %s", s.name, code, want, said)
}

// equal waits until the sides have the same files, and none a problem left.
func equal(t *testing.T, sides ...*side) {
	t.Helper()
	sides[0].zsync("status", "--wait", "--timeout", patience.String())
	agree(t, sides, func() error { return sameTrees(sides) })
	for _, s := range sides {
		st, err := s.status()
		must(t, err)
		if p := st.Folders[0].Problems; len(p) != 0 || st.CircleWhy != "" {
			t.Errorf("%s still says %+v %s", s.name, p, st.CircleWhy)
		}
		if s.process.ProcessState != nil {
			t.Errorf("%s ended", s.name)
		}
	}
}

// fillDisk writes a file until the disk is full.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	must(t, err)
	defer file.Close()
	for _, size := range []int{64 << 10, 4 << 10} {
		for err = nil; err == nil; _, err = file.Write(make([]byte, size)) {
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}

func TestADeviceWhoseHomeIsOnAFullDiskSaysSoAndGoesOnWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	laptop, box := twoSides(t, func(dir string) { mountTmpfs(t, filepath.Join(dir, "laptop"), 24<<20) })
	laptop.write("before", "one")
	startBoth(t, laptop, box)

	filler := filepath.Join(laptop.home, "filler")
	fillDisk(t, filler)
	for i := range 200 {
		laptop.write(fmt.Sprintf("written-while-the-home-was-full/%d", i), fmt.Sprint(i))
	}
	laptop.says("halted", "nothing of it is lost, and nothing of it is synced, while the disk is full; make room there")
	laptop.why("before", "halted", "the disk is full; make room there")
	box.write("meanwhile", "two")
	must(t, os.Remove(filler))
	equal(t, laptop, box)
	if text, err := os.ReadFile(filepath.Join(laptop.folder, "meanwhile")); err != nil || string(text) != "two" {
		t.Errorf("what the box wrote meanwhile: %q, %v", text, err)
	}
}

// ends runs a command that may fail, and returns what it prints and its exit code.
func (s *side) ends(args ...string) (out string, code int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	text, err := exec.CommandContext(ctx, "zsync", append(args, "--home", s.home)...).CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		s.t.Fatal(err)
	} else if err != nil {
		code = ended.ExitCode()
	}
	return string(text), code
}

func TestADeviceThatStartsOnAFullDiskSaysWhatToDo(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	home := filepath.Join(dir, "laptop")
	mountTmpfs(t, home, 24<<20)
	laptop := newSide(t, dir, "laptop")
	filler := filepath.Join(home, "filler")
	fillDisk(t, filler)
	out, code := laptop.ends("daemon", "--listen", laptop.listen)
	if code != exitFailed || !strings.Contains(out, "hint: the disk is full; make room there") {
		t.Errorf("exit code %d, %s", code, out)
	}
	must(t, os.Remove(filler))
	laptop.start()
	laptop.up()
}

func TestADeviceWhoseFolderIsOnAFullDiskSaysSoAndFetchesWhenThereIsRoom(t *testing.T) {
	t.Parallel()
	const reserve = 512 << 20
	laptop, box := twoSides(t, func(dir string) { mountTmpfs(t, filepath.Join(dir, "box-data"), reserve+16<<20) })
	startBoth(t, laptop, box)
	filler := filepath.Join(filepath.Dir(box.folder), "filler")
	must(t, os.WriteFile(filler, make([]byte, 17<<20), 0o600))
	laptop.write("big", strings.Repeat("big", 1<<20))
	laptop.write("small", "small")
	box.says("space", "the disk is nearly full, and some room is always left free on it")
	box.why("big", "space", "make room there")
	box.write("of-the-box", "goes out all the same")
	for path := filepath.Join(laptop.folder, "of-the-box"); ; time.Sleep(20 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			break
		}
	}
	must(t, os.Remove(filler))
	equal(t, laptop, box)
}

// bothWithADisk starts two devices that have a file in common; the folder of the box is on
// a disk of its own.
func bothWithADisk(t *testing.T) (laptop, box *side, disk string) {
	t.Helper()
	laptop, box = twoSides(t, func(dir string) {
		disk = filepath.Join(dir, "box-data")
		mountTmpfs(t, disk, 600<<20)
	})
	laptop.write("kept", "one")
	startBoth(t, laptop, box)
	return laptop, box, disk
}

func TestAFolderOnAReadOnlyDiskIsHaltedAndLosesNothing(t *testing.T) {
	t.Parallel()
	laptop, box, disk := bothWithADisk(t)
	box.kill()
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""))
	box.start()
	box.up()
	laptop.write("new", "two")
	box.says("halted", "the disk can only be read now; make it writable again")
	box.why("kept", "halted", "the disk can only be read now")
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT, ""))
	equal(t, laptop, box)
	if text, err := os.ReadFile(filepath.Join(laptop.folder, "kept")); err != nil || string(text) != "one" {
		t.Errorf("on the laptop: %q, %v", text, err)
	}
}

func TestADiskCanBeMadeReadOnlyWhileTheDeviceRuns(t *testing.T) {
	t.Parallel()
	laptop, box, disk := bothWithADisk(t)
	deadline := time.Now().Add(patience)
	for err := error(unix.EBUSY); err != nil; err = unix.Mount("", disk, "", unix.MS_REMOUNT|unix.MS_RDONLY, "") {
		if time.Now().After(deadline) {
			t.Fatalf("the system does not allow it: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // something may be written just now
	}
	laptop.write("new", "two")
	box.says("halted", "the disk can only be read now; make it writable again")
	must(t, unix.Mount("", disk, "", unix.MS_REMOUNT, ""))
	equal(t, laptop, box)
}

// mountFaulty mounts a file as a disk that can only be read once it has met a fault, and
// returns what makes it meet one, and what mounts it again.
func mountFaulty(t *testing.T, image, dir string) (fault, again func()) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o700))
	must(t, os.WriteFile(image, nil, 0o600))
	must(t, os.Truncate(image, 1<<30)) // with holes
	run := func(program string, args ...string) string {
		out, err := exec.Command(program, args...).CombinedOutput()
		if err != nil {
			t.Skipf("a disk with a fault needs %s, and the right to it: %v, %s", program, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	run("mkfs.ext4", "-q", "-F", "-m", "0", image)
	again = func() { run("mount", "-o", "loop,errors=remount-ro", image, dir) }
	again()
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	return func() {
		source := run("findmnt", "-n", "-o", "SOURCE", dir)
		if err := os.WriteFile("/sys/fs/ext4/"+filepath.Base(source)+"/trigger_fs_error", []byte("1"), 0o200); err != nil {
			t.Skip(err)
		}
	}, again
}

// Where a disk met a fault the system insists on an unmount, which fails while anybody
// has a file open there.
func TestADiskThatMetAFaultCanBeUnmountedAndComesBackWithoutARestart(t *testing.T) {
	t.Parallel()
	var disk string
	var fault, again func()
	laptop, box := twoSides(t, func(dir string) {
		disk = filepath.Join(dir, "box-data")
		fault, again = mountFaulty(t, filepath.Join(dir, "image"), disk)
	})
	laptop.write("kept", "one")
	startBoth(t, laptop, box)
	fault()
	laptop.write("new", "two")
	box.says("halted", "the disk can only be read now")
	deadline := time.Now().Add(patience)
	for err := unix.Unmount(disk, 0); err != nil; err = unix.Unmount(disk, 0) {
		if time.Now().After(deadline) {
			t.Fatalf("it cannot be unmounted: %v", err)
		}
		time.Sleep(20 * time.Millisecond) // it is looked at every few seconds
	}
	again()
	equal(t, laptop, box)
	for path, want := range map[string]string{"kept": "one", "new": "two"} {
		if text, err := os.ReadFile(filepath.Join(box.folder, path)); err != nil || string(text) != want {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
}

// Two disks have the same inode number at their roots, and the first one still
// answers whoever has it open.
func TestAFolderWhoseDiskWasTakenAwayForAnotherIsHaltedUntilItIsBack(t *testing.T) {
	t.Parallel()
	var disk string
	laptop, box := twoSides(t, func(dir string) {
		disk = filepath.Join(dir, "box-data", "Photos")
		mountTmpfs(t, disk, 600<<20)
	})
	laptop.write("kept", "one")
	startBoth(t, laptop, box)
	aside := filepath.Join(filepath.Dir(filepath.Dir(disk)), "aside")
	must(t, os.Mkdir(aside, 0o755))
	must(t, unix.Mount(disk, aside, "", unix.MS_BIND, ""))
	t.Cleanup(func() { _ = unix.Unmount(aside, unix.MNT_DETACH) })
	must(t, unix.Unmount(disk, unix.MNT_DETACH))
	mountTmpfs(t, disk, 600<<20)
	laptop.write("new", "two")
	box.says("halted", "is not the directory that was watched; put it back")
	if entries, err := os.ReadDir(disk); err != nil || len(entries) != 0 {
		t.Errorf("on the wrong disk: %v, %v", entries, err)
	}
	must(t, unix.Unmount(disk, unix.MNT_DETACH))
	must(t, unix.Mount(aside, disk, "", unix.MS_BIND, ""))
	equal(t, laptop, box)
}

func TestADeviceWithoutOpenFilesLeftGoesOnWhenItMayOpenMore(t *testing.T) {
	t.Parallel()
	laptop, box := twoSides(t, func(string) {})
	laptop.write("before", "one")
	startBoth(t, laptop, box)
	open, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", box.process.Process.Pid))
	must(t, err)
	var was unix.Rlimit
	limit := func(to, was *unix.Rlimit) {
		t.Helper()
		if err := unix.Prlimit(box.process.Process.Pid, unix.RLIMIT_NOFILE, to, was); err != nil {
			t.Skip(err)
		}
	}
	limit(nil, &was)
	limit(&unix.Rlimit{Cur: uint64(len(open)), Max: was.Max}, nil)
	for i := range 50 {
		laptop.write(fmt.Sprintf("from-the-laptop/%d", i), fmt.Sprint(i))
		box.write(fmt.Sprintf("from-the-box-%d", i), fmt.Sprint(i))
	}
	time.Sleep(2 * time.Second)
	limit(&was, nil)
	equal(t, laptop, box)
	if said := string(box.said()); strings.Contains(said, "Accept error") {
		t.Errorf("it says more than a person has to know:\n%s", said)
	}
}

func TestADeviceWithFewWatchesSaysSoAndSyncsAllTheSame(t *testing.T) {
	t.Parallel()
	laptop, box := twoSides(t, func(string) {})
	for i := range 30 {
		laptop.write(fmt.Sprintf("d%d/f", i), fmt.Sprint(i))
	}
	box.start()
	box.up()
	// A user namespace has a limit of its own, which disturbs nobody else.
	const few = `echo 10 > /proc/sys/user/max_inotify_watches && exec zsync "$@"`
	laptop.startAs("unshare", "--user", "--map-root-user", "sh", "-c", few, "sh")
	laptop.up()
	laptop.says("watch", "fs.inotify.max_user_watches")
	laptop.write("d29/late", "late")
	agree(t, []*side{laptop, box}, func() error { return sameTrees([]*side{laptop, box}) })
}

// startAs is start by another program, which becomes zsync.
func (s *side) startAs(program string, args ...string) {
	s.t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		s.t.Skip(err)
	}
	var said bytes.Buffer
	s.process = exec.Command(program, append(args, "watch", s.folder, "--home", s.home, "--listen", s.listen, "--listen-transfer", s.transfer)...)
	s.process.Stdout, s.process.Stderr = io.Discard, &said
	must(s.t, s.process.Start())
	s.t.Cleanup(func() {
		s.kill()
		if s.t.Failed() {
			s.t.Log(said.String())
		}
	})
}

func TestAPortThatAnotherProgramHasIsNamedWithWhatToDo(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	laptop := newSide(t, dir, "laptop")
	holder, err := net.Listen("tcp", laptop.listen)
	must(t, err)
	out, code := laptop.ends("daemon", "--listen", laptop.listen)
	if code != exitFailed || !strings.Contains(out, "--listen "+laptop.listen+": the port is in use by another program") ||
		!strings.Contains(out, "hint: ss -ltnp") {
		t.Errorf("exit code %d, %s", code, out)
	}
	must(t, holder.Close())
	laptop.start()
	laptop.up()
}

// A lid that was closed: the process stands still, and its peers give it up.
func TestALaptopThatWasSuspendedGoesOnWhereItWas(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	t.Parallel()
	laptop, box := twoSides(t, func(string) {})
	laptop.write("before", "one")
	startBoth(t, laptop, box)
	must(t, laptop.process.Process.Signal(syscall.SIGSTOP))
	box.write("by-the-box", "two")
	laptop.write("before", "edited by another program while it stood still")
	laptop.write("new", "three")
	time.Sleep(8 * time.Second)
	must(t, laptop.process.Process.Signal(syscall.SIGCONT))
	equal(t, laptop, box)
	if text, err := os.ReadFile(filepath.Join(box.folder, "before")); err != nil || !strings.HasPrefix(string(text), "edited") {
		t.Errorf("on the box: %q, %v", text, err)
	}
}
