package main

import (
	"errors"
	"path/filepath"
	"time"
)

const (
	// pollEvery is how often a side is asked for its status, which costs it something.
	pollEvery = 25 * time.Millisecond
	// lookEvery is how often a file is looked for on the disk, which costs it nothing.
	lookEvery = time.Millisecond
	// aged is what a tree rests before a run: files changed in the last 2 s, by
	// their ctime too, are read again later, and these are not meant to be new.
	aged = 3 * time.Second
)

// pair is two fresh devices that are paired: a laptop that has a tree, and a box
// that has nothing yet.
type pair struct {
	r           *run
	laptop, box *side
	tree, copy  string // where the folder is on each
	files       int64
}

// newPair makes two devices, which do not run yet, and gives the laptop a tree.
func (r *run) newPair(s source) (*pair, error) {
	laptop, err := r.newSide("laptop", &r.net.laptop)
	if err != nil {
		return nil, err
	}
	box, err := r.newSide("box", &r.net.box)
	if err != nil {
		return nil, err
	}
	p := &pair{r: r, laptop: laptop, box: box, tree: filepath.Join(r.at, label), copy: filepath.Join(r.at, "box", "data", label), files: s.files}
	err = errors.Join(laptop.order(r.ctx, "pair", "--key", box.key, "--peer", box.listen), box.order(r.ctx, "pair", "--key", laptop.key))
	if err != nil {
		return nil, err
	}
	if err := linkTree(s.dir, p.tree); err != nil {
		return nil, err
	}
	time.Sleep(aged)
	return p, ready(p.tree)
}

// start starts both for the first time; the box first, as sshd was: it listens when
// the laptop dials it.
func (p *pair) start() error {
	return errors.Join(p.box.start(p.r.ctx, "serve", filepath.Dir(p.copy)), p.laptop.start(p.r.ctx, "watch", p.tree))
}

// again starts both with what they have.
func (p *pair) again() error {
	return errors.Join(p.box.start(p.r.ctx, "daemon"), p.laptop.start(p.r.ctx, "daemon"))
}

func (p *pair) stop() error { return errors.Join(p.laptop.stop(), p.box.stop()) }

// inSync waits until the box has committed all that the laptop has.
func (p *pair) inSync() error { return p.holds(p.box) }

func (p *pair) holds(s *side) error {
	_, err := s.holds(p.r.ctx, p.files, pollEvery)
	return err
}

// cpu is what both have computed since they were started.
func (p *pair) cpu() float64 { return p.laptop.cpu() + p.box.cpu() }

// settled is a pair that is in sync and idle: what it does from then on is what the
// row is about.
func (r *run) settled(s source) (*pair, error) {
	p, err := r.newPair(s)
	if err != nil {
		return nil, err
	}
	err = errors.Join(p.start(), p.inSync(), p.holds(p.laptop))
	if err != nil {
		return nil, errors.Join(err, p.stop())
	}
	time.Sleep(aged) // what was just written is looked at once more
	return p, nil
}
