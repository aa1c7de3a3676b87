package sim

import "time"

// Misfortune lets something go wrong now and then: the power of a device goes,
// between two facts, in the middle of a disk order or at a commit; a program ends;
// a database refuses a commit; the link between two is cut. What is broken mends
// itself after some seconds.
func (w *World) Misfortune() {
	n := w.Nodes[w.random.IntN(len(w.Nodes))]
	switch w.random.IntN(15) {
	case 0:
		n.Crash()
	case 1:
		n.CrashAtStep(1 + w.random.IntN(12))
	case 2:
		other := w.Nodes[w.random.IntN(len(w.Nodes))]
		if other != n {
			w.Cut(n, other, true)
			w.after(4*time.Second, func() { w.Cut(n, other, false) })
		}
	case 3:
		n.CrashAtCommit(1+w.random.IntN(5), w.random.IntN(2) == 0)
	case 4:
		n.RefuseCommit(1 + w.random.IntN(5))
	case 5:
		n.Kill()
	}
	w.rouse(time.Second + time.Duration(w.random.Int64N(int64(2*time.Second))))
}

// rouse sees that each device that is off starts again in a while.
func (w *World) rouse(after time.Duration) {
	for _, n := range w.Nodes {
		if !n.alive && !n.rising {
			n.rising = true
			w.at(w.now.Add(after), func() {
				n.rising = false
				if !n.alive {
					n.Start()
				}
			})
		}
	}
}

// Mend ends all misfortune: the power is on everywhere, every link is whole.
func (w *World) Mend() {
	clear(w.cut)
	w.Lossy, w.Echo, w.Jumble = 0, 0, 0
	for _, n := range w.Nodes {
		n.fate, n.woes = fate{}, woes{}
		n.disk(dir).Resize(diskOctets)
		if !n.alive && !n.rising {
			n.Start()
		}
	}
}
