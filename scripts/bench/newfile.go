package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"time"
)

// W6: how long one new file takes when nothing else happens, again and again.

const (
	newOctets   = 100 << 10
	newSamples  = 40
	ninetyFifth = "95 of 100 within"
)

func newFiles(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	pauses := rand.New(rand.NewPCG(6, 6))
	noise := rand.NewChaCha8([32]byte{6})
	var all []float64
	for i := range max(5, newSamples/r.scale) {
		// Not in step with anything that happens every second.
		time.Sleep(time.Second + time.Duration(pauses.Int64N(int64(time.Second))))
		name := fmt.Sprintf("new%03d.bin", i)
		began := time.Now()
		if err := writeNoise(filepath.Join(p.tree, name), noise, newOctets); err != nil {
			return nil, err
		}
		if err := r.appears(filepath.Join(p.copy, name), newOctets); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all = append(all, milliseconds(time.Since(began)))
	}
	return sample{took: all}, errors.Join(same(p.tree, p.copy), p.stop())
}

// tail is the figure that a person waits for when it is not their day.
func tail(figures []figure) {
	if all := figureOf(figures, took).Zsync; len(all) > 0 {
		figureOf(figures, ninetyFifth).Zsync = []float64{quantile(all, 0.95)}
	}
}
