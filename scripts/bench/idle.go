package main

import "time"

// W7: what both take while nothing happens.

const (
	restedFor = 10 * time.Second // what the first sync has left behind is gone
	idleFor   = 60 * time.Second
	idleMin   = 10 * time.Second
)

func idling(r *run) (sample, error) {
	p, err := r.settled(r.trees[0])
	if err != nil {
		return nil, err
	}
	defer p.stop()
	time.Sleep(restedFor)
	laptop, box, began := p.laptop.cpu(), p.box.cpu(), time.Now()
	time.Sleep(max(idleMin, idleFor/time.Duration(r.scale)))
	share := func(now, before float64) []float64 {
		return []float64{100 * (now - before) / time.Since(began).Seconds()}
	}
	return sample{
		"CPU of the laptop":    share(p.laptop.cpu(), laptop),
		"CPU of the box":       share(p.box.cpu(), box),
		"memory of the laptop": {p.laptop.memory(resident)},
		"memory of the box":    {p.box.memory(resident)},
	}, p.stop()
}
