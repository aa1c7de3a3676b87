package main

import (
	"errors"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// W8: both are off, one file is added, both start.

const addedOctets = 100 << 10

func addedWhileOff(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := errors.Join(p.stop(), added(p.tree)); err != nil {
		return nil, err
	}
	time.Sleep(aged)
	if err := ready(p.tree, p.copy); err != nil {
		return nil, err
	}
	began := time.Now()
	if err := errors.Join(p.again(), r.appears(filepath.Join(p.copy, addedName), addedOctets)); err != nil {
		return nil, err
	}
	got := sample{took: {time.Since(began).Seconds()}, cpu: {p.cpu()}}
	return got, errors.Join(same(p.tree, p.copy), p.stop())
}

const addedName = "d000/added.bin"

func added(tree string) error {
	return writeNoise(filepath.Join(tree, addedName), rand.NewChaCha8([32]byte{8}), addedOctets)
}

func addedByRsync(r *run, options ...string) (sample, error) {
	there, tree := filepath.Join(r.at, "there"), filepath.Join(r.at, label)
	if err := errors.Join(copyTree(r.trees[0].dir, there), linkTree(r.trees[0].dir, tree), added(tree)); err != nil {
		return nil, err
	}
	s, err := r.rsync(tree, there, options...)
	return sample{took: {s.time.Seconds()}, cpu: {s.cpu}}, err
}
