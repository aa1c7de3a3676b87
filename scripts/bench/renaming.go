package main

import (
	"errors"
	"os"
	"path/filepath"
	"time"
)

// W5: the one directory at the top of a tree gets another name.

const kibibyte = 1024

func renaming(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	if err := ready(p.tree); err != nil {
		return nil, err
	}
	before, err := r.net.sent()
	if err != nil {
		return nil, err
	}
	began := time.Now()
	if err := rename(p.tree); err != nil {
		return nil, err
	}
	if err := errors.Join(p.moved(), p.inSync()); err != nil {
		return nil, err
	}
	got := sample{took: {time.Since(began).Seconds()}, octets: r.net.since(before, kibibyte)}
	return got, errors.Join(same(p.tree, p.copy), p.stop())
}

func rename(tree string) error {
	return os.Rename(filepath.Join(tree, "photos"), filepath.Join(tree, "pictures"))
}

// moved waits until the box has all files below the new name and none below the old.
func (p *pair) moved() error {
	return until(p.r.ctx, lookEvery, func() bool {
		if _, err := os.Lstat(filepath.Join(p.copy, "photos")); err == nil {
			return false
		}
		var files int64
		err := eachFile(filepath.Join(p.copy, "pictures"), func(string) error { files++; return nil })
		return err == nil && files == p.files
	})
}

func renamingByRsync(r *run, options ...string) (sample, error) {
	there, tree := filepath.Join(r.at, "there"), filepath.Join(r.at, label)
	if err := errors.Join(copyTree(r.trees[0].dir, there), linkTree(r.trees[0].dir, tree), rename(tree)); err != nil {
		return nil, err
	}
	before, err := r.net.sent()
	if err != nil {
		return nil, err
	}
	s, err := r.rsync(tree, there, append(options, "--delete")...)
	return sample{took: {s.time.Seconds()}, octets: r.net.since(before, kibibyte)}, err
}
