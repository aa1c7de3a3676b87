package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mountStick mounts a file with a file system that has no capital letters, as sticks
// have, and returns the directory: by whatever this machine has for that.
func mountStick(t *testing.T, dir string) {
	t.Helper()
	must(t, os.MkdirAll(dir, 0o755))
	image := filepath.Join(filepath.Dir(dir), filepath.Base(dir)+".img")
	file, err := os.Create(image)
	must(t, err)
	must(t, file.Truncate(4<<30)) // all but the reserve of it takes no room
	must(t, file.Close())
	var failed []string
	try := func(commands ...[]string) bool {
		for _, c := range commands {
			if err := exec.Command(c[0], c[1:]...).Run(); err != nil { // a file system that is a process would hold a pipe open
				failed = append(failed, strings.Join(c, " ")+": "+err.Error())
				return false
			}
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // it goes with the process
		return true
	}
	loop := func(kind string) []string { return []string{"mount", "-o", "loop", "-t", kind, image, dir} }
	switch {
	case try([]string{"mkfs.ext4", "-q", "-F", "-O", "casefold", image}, loop("ext4"), []string{"chattr", "+F", dir}):
	case try([]string{"mkfs.vfat", image}, loop("vfat")):
	case try([]string{"mkfs.exfat", image}, loop("exfat")):
	case try([]string{"mkfs.exfat", image}, []string{"mount.exfat-fuse", loopDevice(t, image), dir}):
	default:
		t.Skipf("no disk without capital letters can be mounted here: %s", strings.Join(failed, "; "))
	}
	must(t, os.WriteFile(filepath.Join(dir, "probe"), nil, 0o644))
	if _, err := os.Stat(filepath.Join(dir, "PROBE")); err != nil {
		t.Skip("the disk that was mounted minds capital letters")
	}
	must(t, os.Remove(filepath.Join(dir, "probe")))
}

// loopDevice makes a block device of a file, or returns the file where it cannot.
func loopDevice(t *testing.T, image string) string {
	out, err := exec.Command("losetup", "--find", "--show", image).Output()
	if err != nil {
		return image
	}
	device := strings.TrimSpace(string(out))
	t.Cleanup(func() { _ = exec.Command("losetup", "--detach", device).Run() }) // the unmount came first
	return device
}

// listed are the names in a directory, for a disk whose names are not to be looked up.
func listed(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	must(t, err)
	var names []string
	for _, e := range entries {
		if e.Name() != ".zsync" {
			names = append(names, e.Name())
		}
	}
	return names
}

// shows waits until a directory has just these names; "~c" at the end of one stands for
// what projects it.
func shows(t *testing.T, dir string, want ...string) {
	t.Helper()
	var got []string
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		got = nil
		for _, name := range listed(t, dir) {
			if stem, rest, found := strings.Cut(name, "~c"); found {
				name = stem + "~c" + strings.TrimLeft(rest, "0123456789abcdef")
			}
			got = append(got, name)
		}
		slices.Sort(got)
		if slices.Sort(want); slices.Equal(got, want) {
			return
		}
	}
	t.Fatalf("%s has %q, want %q", dir, got, want)
}

func TestAStickHoldsNamesThatDifferOnlyInCapitalLetters(t *testing.T) {
	t.Parallel()
	laptop, stick := twoSides(t, func(dir string) { mountStick(t, filepath.Join(dir, "box-data", "Photos")) })
	laptop.write("photo.jpg", "one")
	laptop.write("photos/x", "two")
	startBoth(t, laptop, stick)
	shows(t, stick.folder, "photo.jpg", "photos")

	laptop.write("Photo.jpg", "three")
	laptop.write("Photos/x", "four")
	laptop.write("at 12:30.jpg", "five")
	shows(t, stick.folder, "Photo~c.jpg", "Photos~c", "at 12_30~c.jpg", "photo.jpg", "photos")
	laptop.zsync("status", "--wait", "--timeout", patience.String())
	stick.why("Photo.jpg", "in-sync", "it lies here as")
	projected := func(prefix string) string {
		for _, name := range listed(t, stick.folder) {
			if strings.HasPrefix(name, prefix) {
				return filepath.Join(stick.folder, name)
			}
		}
		t.Fatalf("nothing begins with %s: %q", prefix, listed(t, stick.folder))
		return ""
	}
	if said := stick.zsync("ls"); !strings.Contains(said, "Photo.jpg  (on this disk: "+filepath.Base(projected("Photo~c"))+")") {
		t.Errorf("zsync ls says\n%s", said)
	}

	must(t, os.WriteFile(projected("Photo~c"), []byte("three, edited"), 0o644))
	must(t, os.WriteFile(filepath.Join(projected("Photos~c"), "new"), []byte("six"), 0o644))
	must(t, os.Rename(projected("at 12_30~c"), filepath.Join(stick.folder, "half past.jpg")))
	shows(t, laptop.folder, "Photo.jpg", "Photos", "half past.jpg", "photo.jpg", "photos")
	holds(t, filepath.Join(laptop.folder, "Photo.jpg"), "three, edited")
	holds(t, filepath.Join(laptop.folder, "Photos", "new"), "six")

	must(t, os.Remove(filepath.Join(laptop.folder, "photo.jpg")))
	must(t, os.RemoveAll(filepath.Join(laptop.folder, "photos")))
	shows(t, stick.folder, "Photo.jpg", "Photos", "half past.jpg")
	must(t, os.Rename(filepath.Join(laptop.folder, "Photo.jpg"), filepath.Join(laptop.folder, "PHOTO.jpg")))
	must(t, os.Rename(filepath.Join(laptop.folder, "Photos"), filepath.Join(laptop.folder, "PHOTOS")))
	shows(t, stick.folder, "PHOTO.jpg", "PHOTOS", "half past.jpg")
	holds(t, filepath.Join(stick.folder, "PHOTOS", "new"), "six")
	laptop.zsync("status", "--wait", "--timeout", patience.String())
}

// holds waits until a file has a text.
func holds(t *testing.T, path, want string) {
	t.Helper()
	var got []byte
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if got, _ = os.ReadFile(path); string(got) == want {
			return
		}
	}
	t.Fatalf("%s holds %q, want %q", path, got, want)
}
