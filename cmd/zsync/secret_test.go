package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// secretWindow is how many octets of the key file have to turn up together to be
// called a leak.
const secretWindow = 16

// cmdSecretless checks that no run of octets of the key file is in the output of
// the commands before, in another file of its home, or in the arguments or the
// environment of the process that serves the home.
func cmdSecretless(ts *testscript.TestScript, _ bool, args []string) {
	key, err := os.ReadFile(ts.MkAbs(args[0]))
	ts.Check(err)
	for what, text := range exposed(ts, filepath.Dir(ts.MkAbs(args[0]))) {
		// The first octets name the format; the key file may end in a checksum.
		for i := 32; i+secretWindow <= len(key); i++ {
			if bytes.Contains(text, key[i:i+secretWindow]) {
				ts.Fatalf("%s holds octets %d to %d of the key file", what, i, i+secretWindow)
			}
		}
	}
}

func exposed(ts *testscript.TestScript, home string) map[string][]byte {
	texts := map[string][]byte{"stdout": []byte(ts.ReadFile("stdout")), "stderr": []byte(ts.ReadFile("stderr"))}
	ts.Check(filepath.WalkDir(home, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || filepath.Base(path) == "key" {
			return err
		}
		texts[path], err = os.ReadFile(path)
		return err
	}))
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	ts.Check(err)
	for _, path := range processes {
		if text, err := os.ReadFile(path); err == nil && strings.Contains(string(text), home) {
			texts[path] = text
		}
	}
	return texts
}

// cmdHalf waits until the staging area of a folder holds some KiB, but is not done.
func cmdHalf(ts *testscript.TestScript, _ bool, args []string) {
	want := parseKiB(ts, args[1])
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if octetsUnder(filepath.Join(ts.MkAbs(args[0]), ".zsync", "tmp")) >= want {
			return
		}
	}
	ts.Fatalf("staging holds less than %s KiB after %s", args[1], patience)
}

// octetsUnder returns what the files of a directory occupy; staging files are
// sparse until they are whole.
func octetsUnder(dir string) (total int64) {
	_ = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		var stat syscall.Stat_t
		if err == nil && syscall.Lstat(path, &stat) == nil {
			total += stat.Blocks * 512
		}
		return nil // files come and go
	})
	return total
}

func parseKiB(ts *testscript.TestScript, text string) int64 {
	kib, err := strconv.ParseInt(text, 10, 64)
	ts.Check(err)
	return kib << 10
}
