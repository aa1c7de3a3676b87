package main

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"syscall"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/security"
)

// cmdRot changes a byte of a file. No program can do that without a trace in the
// file's ctime, so what the device remembers of the file is given the new one.
func cmdRot(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	before, err := os.Stat(path)
	ts.Check(err)
	data, err := os.ReadFile(path)
	ts.Check(err)
	data[0] ^= 1
	ts.Check(os.WriteFile(path, data, before.Mode()))
	ts.Check(os.Chtimes(path, before.ModTime(), before.ModTime()))
	after, err := os.Stat(path)
	ts.Check(err)
	databases, err := filepath.Glob(filepath.Join(ts.MkAbs(args[1]), "spaces", "*.db"))
	ts.Check(err)
	changed := 0
	for _, name := range databases {
		db, err := bolt.Open(name)
		ts.Check(err)
		ts.Check(db.Update(func(tx kv.Tx) error {
			changed += remember(tx, timesOf(before), timesOf(after))
			return nil
		}))
		ts.Check(db.Close())
	}
	if changed != 1 {
		ts.Fatalf("%s is known %d times", args[0], changed)
	}
}

// timesOf are mtime and ctime as package replica stores them.
func timesOf(info os.FileInfo) []byte {
	stat := info.Sys().(*syscall.Stat_t)
	data := binary.BigEndian.AppendUint64(nil, uint64(stat.Mtim.Nano()))
	return binary.BigEndian.AppendUint64(data, uint64(stat.Ctim.Nano()))
}

func remember(tx kv.Tx, from, to []byte) (changed int) {
	const bucket = "disk"
	found := map[string][]byte{}
	tx.Scan(bucket, nil, func(key, value []byte) bool {
		if bytes.Contains(value, from) {
			value = bytes.Replace(value, from, to, 1)
			value[0] &^= 1 // it is not young: it was read once more when it was old enough
			found[string(key)] = value
		}
		return true
	})
	for key, value := range found {
		tx.Put(bucket, []byte(key), value)
	}
	return len(found)
}

// cmdScribble damages databases of a device that is stopped.
func cmdScribble(ts *testscript.TestScript, _ bool, args []string) {
	how, path := "", ts.MkAbs(args[len(args)-1])
	if len(args) > 1 {
		how = args[0]
	}
	names := []string{path}
	if found, err := filepath.Glob(filepath.Join(path, "*.db")); err == nil && len(found) > 0 {
		names = found
	}
	for _, name := range names {
		data, err := os.ReadFile(name)
		ts.Check(err)
		page := os.Getpagesize()
		switch how {
		case "-gone":
			ts.Check(os.Remove(name))
			continue
		case "-short":
			data = data[:3*page]
		default:
			used := (len(bytes.TrimRight(data, "\x00")) + page - 1) / page * page
			for at := 2 * page; at+page <= used; at += page {
				copy(data[at:at+64], bytes.Repeat([]byte("scribble"), 8))
			}
		}
		ts.Check(os.WriteFile(name, data, 0o600))
	}
}

// cmdUnnoticed has device.db record the generation file as it is.
func cmdUnnoticed(ts *testscript.TestScript, _ bool, args []string) {
	h := home{ts.MkAbs(args[0])}
	db, err := bolt.Open(h.database())
	ts.Check(err)
	now, _, err := security.CheckGeneration(h.generation(), security.Generation{})
	ts.Check(err)
	ts.Check(db.Update(func(tx kv.Tx) error {
		tx.Put("generation", []byte("recorded"), now.Encode())
		return nil
	}))
	ts.Check(db.Close())
}
