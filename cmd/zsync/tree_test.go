package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"
)

// leaf is all of one file that has to be the same on every device.
type leaf struct {
	Mode    fs.FileMode
	Time    time.Time // of directories and links: none
	Content string    // SHA-256 in hex, or a link's target
}

// readTree reads every file, directory and link under dir but zsync's own.
func readTree(dir string) (map[string]leaf, error) {
	tree := make(map[string]leaf)
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		name := strings.TrimPrefix(path, dir)
		switch {
		case err != nil || name == "":
			return err
		case name == "/.zsync":
			return fs.SkipDir
		}
		tree[name], err = readLeaf(path)
		return err
	})
	return tree, err
}

func readLeaf(path string) (leaf, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return leaf{}, err
	}
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		return leaf{info.Mode(), info.ModTime(), fmt.Sprintf("%x", sha256.Sum256(data))}, err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return leaf{Mode: fs.ModeSymlink, Content: target}, err
	}
	return leaf{Mode: info.Mode()}, nil
}

func differ(a, b map[string]leaf) string { return cmp.Diff(a, b) }

// writeNoise writes octets that are different each time it is called.
func writeNoise(path string, size int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, rand.Reader, int64(size))
	return errors.Join(err, file.Close())
}

// cmdShape compares each line of JSON in a file with the one line wanted: every
// key wanted is there and has a value of the wanted type. With -exact no other
// key is.
func cmdShape(ts *testscript.TestScript, neg bool, args []string) {
	exact := args[0] == "-exact"
	if exact {
		args = args[1:]
	}
	want := shapeOf(ts, ts.ReadFile(args[1]))
	lines := strings.Split(strings.TrimSpace(ts.ReadFile(args[0])), "\n")
	for _, line := range lines {
		got := shapeOf(ts, line)
		if !exact {
			maps.DeleteFunc(got, func(key, _ string) bool { _, wanted := want[key]; return !wanted })
		}
		if diff := cmp.Diff(want, got); neg == (diff == "") {
			ts.Fatalf("shape of %s:\n%s", line, diff)
		}
	}
}

// shapeOf returns the path of every value in a JSON document and its type.
func shapeOf(ts *testscript.TestScript, text string) map[string]string {
	var value any
	ts.Check(json.Unmarshal([]byte(text), &value))
	shape := make(map[string]string)
	addShape(shape, "", value)
	return shape
}

func addShape(shape map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			addShape(shape, path+"."+key, v[key])
		}
	case []any:
		shape[path] = "list"
		for _, each := range v {
			addShape(shape, path+"[]", each)
		}
	default:
		shape[path] = fmt.Sprintf("%T", v)
	}
}
