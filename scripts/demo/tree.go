package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// leaf is all that has to be the same of one file on every device.
type leaf struct {
	mode    fs.FileMode
	size    int64
	modTime time.Time
	content [32]byte
}

// readTree returns every file, directory and link under dir but zsync's own.
func readTree(dir string) (map[string]leaf, error) {
	tree := make(map[string]leaf)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil || name == "." {
			return err
		}
		if name == ".zsync" {
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
	l := leaf{mode: info.Mode()}
	switch {
	case info.Mode().IsRegular():
		l.size, l.modTime = info.Size(), info.ModTime()
		l.content, err = hashFile(path)
	case info.Mode()&fs.ModeSymlink != 0:
		var target string
		target, err = os.Readlink(path)
		l.mode, l.content = fs.ModeSymlink, sha256.Sum256([]byte(target))
	}
	return l, err
}

func hashFile(path string) (sum [32]byte, err error) {
	file, err := os.Open(path)
	if err != nil {
		return sum, err
	}
	hash := sha256.New()
	_, err = io.Copy(hash, file)
	hash.Sum(sum[:0])
	return sum, errors.Join(err, file.Close())
}

// differ says how b differs from a, naming the first few paths.
func differ(a, b map[string]leaf) error {
	var wrong []string
	for path, leafA := range a {
		if leafB, there := b[path]; !there {
			wrong = append(wrong, path+" is missing")
		} else if leafA != leafB {
			wrong = append(wrong, fmt.Sprintf("%s: %v, %v", path, leafA.describe(), leafB.describe()))
		}
	}
	for path := range b {
		if _, there := a[path]; !there {
			wrong = append(wrong, path+" should not be there")
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	return fmt.Errorf("%d differences: %q", len(wrong), wrong[:min(len(wrong), 5)])
}

func (l leaf) describe() string {
	return fmt.Sprintf("%v %d octets %s %x", l.mode, l.size, l.modTime.Format(time.RFC3339Nano), l.content[:4])
}

// copyTree copies files, directories and links with their modes and times.
func copyTree(from, to string) (files int, err error) {
	err = filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		files++
		return copyEntry(path, filepath.Join(to, name), entry)
	})
	return files, err
}

func copyEntry(from, to string, entry fs.DirEntry) error {
	info, err := entry.Info()
	switch {
	case err != nil:
		return err
	case entry.IsDir():
		return os.MkdirAll(to, 0o755)
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	case !info.Mode().IsRegular():
		return nil
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	if err := os.WriteFile(to, data, info.Mode().Perm()|0o200); err != nil {
		return err
	}
	return os.Chtimes(to, info.ModTime(), info.ModTime())
}
