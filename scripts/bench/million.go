package main

import (
	"errors"
	"path/filepath"
	"time"
)

// 1M: one device with very many files, and nobody to send them to.

const (
	// millionPoll is rare: a status of so many files may cost something.
	millionPoll   = 250 * time.Millisecond
	statusSamples = 21
)

func million(r *run) (sample, error) {
	one, err := r.newSide("laptop", &r.net.laptop)
	if err != nil {
		return nil, err
	}
	defer one.stop()
	tree := filepath.Join(r.at, label)
	if err := linkTree(r.trees[0].dir, tree); err != nil {
		return nil, err
	}
	time.Sleep(aged)
	if err := ready(tree); err != nil {
		return nil, err
	}
	got := sample{}
	if err := r.startOf(one, got, "first index", "peak memory, first index", "watch", tree); err != nil {
		return nil, err
	}
	if got["status"], err = r.statusTimes(one); err != nil {
		return nil, err
	}
	if err := one.stop(); err != nil {
		return nil, err
	}
	err = r.startOf(one, got, "start with all unchanged", "peak memory, after a start", "daemon")
	return got, errors.Join(err, one.stop())
}

// startOf times a start until the device knows all of its files.
func (r *run) startOf(one *side, got sample, time0, memory0 string, args ...string) error {
	began := time.Now()
	if err := errors.Join(one.start(r.ctx, args...), one.holds(r.ctx, r.trees[0].files, millionPoll)); err != nil {
		return err
	}
	got[time0], got[memory0] = []float64{time.Since(began).Seconds()}, []float64{one.memory(residentPeak)}
	return nil
}

func (r *run) statusTimes(one *side) (all []float64, err error) {
	for range statusSamples {
		began := time.Now()
		if _, err := one.client().Status(r.ctx); err != nil {
			return nil, err
		}
		all = append(all, float64(time.Since(began).Microseconds())/1000)
	}
	return all, nil
}
