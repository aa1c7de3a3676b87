package main

import (
	"errors"
	"path/filepath"
	"time"
)

// firstSync times two fresh devices, from the start of both to the moment at which
// the box has committed everything.
func firstSync(r *run) (sample, error) {
	p, err := r.newPair(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	began := time.Now()
	if err := errors.Join(p.start(), p.inSync()); err != nil {
		return nil, err
	}
	got := sample{
		took: {time.Since(began).Seconds()},
		cpu:  {p.cpu()},
		peak: {max(p.laptop.memory(residentPeak), p.box.memory(residentPeak))},
	}
	return got, errors.Join(same(p.tree, p.copy), p.stop())
}

// firstCopy is what rsync takes for the same.
func firstCopy(r *run, options ...string) (sample, error) {
	s, err := r.rsync(r.trees[0].dir, filepath.Join(r.at, "there"), options...)
	return sample{took: {s.time.Seconds()}, cpu: {s.cpu}}, err
}
