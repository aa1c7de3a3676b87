package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// W4: a large file of which both sides have the same version gets longer in its
// middle, on the laptop. It is written beside the tree first, so that what is timed
// begins when the new version has the file's name.

const (
	insertedOctets = 1 << 20
	megabyte       = 1e6
)

// theFile is the only one of the tree.
const theFile = "d000/f00000.bin"

func insertion(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	changed, size, err := r.changed()
	if err != nil {
		return nil, err
	}
	before, err := r.net.sent()
	if err != nil {
		return nil, err
	}
	computed, began := p.cpu(), time.Now()
	if err := os.Rename(changed, filepath.Join(p.tree, theFile)); err != nil {
		return nil, err
	}
	if err := errors.Join(r.appears(filepath.Join(p.copy, theFile), size), p.inSync()); err != nil {
		return nil, err
	}
	got := sample{took: {time.Since(began).Seconds()}, octets: r.net.since(before, megabyte), cpu: {p.cpu() - computed}}
	return got, errors.Join(same(p.tree, p.copy), p.stop())
}

func insertionByRsync(r *run, options ...string) (sample, error) {
	there := filepath.Join(r.at, "there")
	if err := copyTree(r.trees[0].dir, there); err != nil {
		return nil, err
	}
	changed, _, err := r.changed()
	if err != nil {
		return nil, err
	}
	tree := filepath.Join(r.at, label)
	if err := errors.Join(linkTree(r.trees[0].dir, tree), os.Rename(changed, filepath.Join(tree, theFile))); err != nil {
		return nil, err
	}
	before, err := r.net.sent()
	if err != nil {
		return nil, err
	}
	s, err := r.rsync(tree, there, options...)
	return sample{took: {s.time.Seconds()}, octets: r.net.since(before, megabyte), cpu: {s.cpu}}, err
}

// changed writes the next version of the file and brings it into the page cache.
func (r *run) changed() (path string, size int64, err error) {
	path = filepath.Join(r.at, "changed.bin")
	size, err = insert(filepath.Join(r.trees[0].dir, theFile), path)
	if err != nil {
		return "", 0, err
	}
	time.Sleep(aged)
	return path, size, ready(path)
}

// insert copies a file with noise put into its middle.
func insert(from, to string) (size int64, err error) {
	old, err := os.Open(from)
	if err != nil {
		return 0, err
	}
	defer old.Close()
	info, err := old.Stat()
	if err != nil {
		return 0, err
	}
	file, err := os.Create(to)
	if err != nil {
		return 0, err
	}
	middle := info.Size() / 2
	noise := io.LimitReader(rand.NewChaCha8([32]byte{4}), insertedOctets)
	size, err = io.Copy(file, io.MultiReader(io.LimitReader(old, middle), noise, old))
	return size, errors.Join(err, file.Close())
}
