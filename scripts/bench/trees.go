package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

// tree is a shape of files of noise: all below the directory top, if it has a name,
// and so many to a directory.
type tree struct {
	top                 string
	files, perDirectory int
	size                func(*rand.Rand) int64
}

// source is a tree on the disk. Nobody changes it; a run has hard links to it.
type source struct {
	dir   string
	files int64
}

// sources makes the trees of a row, divided by the scale in files, or where there
// is one file, in size.
func sources(dir string, trees []tree, scale int) (made []source, err error) {
	for i, t := range trees {
		s := source{filepath.Join(dir, fmt.Sprint(i)), int64(max(1, t.files/scale))}
		if t.files == 1 {
			whole := t.size
			t.size = func(r *rand.Rand) int64 { return whole(r) / int64(scale) }
		}
		if err := t.make(s); err != nil {
			return nil, err
		}
		made = append(made, s)
	}
	return made, nil
}

func (t tree) make(s source) error {
	sizes := rand.New(rand.NewPCG(1, 2))
	noise := rand.NewChaCha8([32]byte{3})
	for i := range int(s.files) {
		at := filepath.Join(s.dir, t.top, fmt.Sprintf("d%03d", i/t.perDirectory))
		if i%t.perDirectory == 0 {
			if err := os.MkdirAll(at, 0o755); err != nil {
				return err
			}
		}
		if err := writeNoise(filepath.Join(at, fmt.Sprintf("f%05d.bin", i)), noise, t.size(sizes)); err != nil {
			return err
		}
	}
	return nil
}

func writeNoise(path string, noise io.Reader, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, noise, size)
	return errors.Join(err, file.Close())
}

// linkTree gives a run a tree of its own, by hard links: the bytes stay in the page
// cache, and no run meets what another has indexed.
func linkTree(from, to string) error { return exec.Command("cp", "-al", from, to).Run() }

// copyTree makes what was brought over before: the same bytes and times.
func copyTree(from, to string) error { return exec.Command("cp", "-a", from, to).Run() }

// ready reads the trees and empties the write cache, so that no run pays for a cold
// page cache, or for what another has left to be written.
func ready(dirs ...string) error {
	for _, dir := range dirs {
		if err := eachFile(dir, readThrough); err != nil {
			return err
		}
	}
	return exec.Command("sync").Run()
}

func eachFile(dir string, do func(path string) error) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		return do(path)
	})
}

func readThrough(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, file)
	return errors.Join(err, file.Close())
}

// same reports as an error that two trees differ: what was measured was no sync.
func same(tree, other string) error {
	out, err := exec.Command("diff", "-rq", "--exclude=.zsync", tree, other).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s and %s are not the same: %w: %.300s", tree, other, err, out)
	}
	return nil
}
