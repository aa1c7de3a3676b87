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
	got["status while it indexes"], err = r.startOf(one, got, "first index", "peak memory, first index", "watch", tree)
	if err != nil {
		return nil, err
	}
	if got["status"], err = r.statusTimes(one); err != nil {
		return nil, err
	}
	if err := one.stop(); err != nil {
		return nil, err
	}
	_, err = r.startOf(one, got, "start with all unchanged", "peak memory, after a start", "daemon")
	return got, errors.Join(err, one.stop())
}

// startOf times a start until the device knows all of its files, and each status that
// it was asked for meanwhile.
func (r *run) startOf(one *side, got sample, timeName, memoryName string, args ...string) (answers []float64, err error) {
	began := time.Now()
	if err := one.start(r.ctx, args...); err != nil {
		return nil, err
	}
	answers, err = one.holds(r.ctx, r.trees[0].files, millionPoll)
	got[timeName], got[memoryName] = []float64{time.Since(began).Seconds()}, []float64{one.memory(residentPeak)}
	return answers, err
}

func (r *run) statusTimes(one *side) (all []float64, err error) {
	for range statusSamples {
		began := time.Now()
		if _, err := one.client().Status(r.ctx); err != nil {
			return nil, err
		}
		all = append(all, milliseconds(time.Since(began)))
	}
	return all, nil
}
