//go:build failpoint && linux

package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/failpoint"
)

const (
	sessionRounds = 16               // then the two must agree; the next session begins with nothing
	reachTime     = 20 * time.Second // a point that is not reached by then is not counted
	confirmEvery  = time.Second
	goOnTime      = time.Second // of work between two kills
	operationsMin = 20          // a second, on each side, for a round to count
	settleTime    = 2 * time.Minute
	mendingTimes  = 6 // a point is passed fewer times, where a device mends what a kill has done
)

// session is two devices and the people who use them.
type session struct {
	t       *testing.T
	rng     *rand.Rand
	sides   []*side
	editors []*editor
	stop    chan struct{}
	people  sync.WaitGroup
	began   time.Time
}

func newSession(t *testing.T, seed, number uint64) *session {
	t.Helper()
	s := &session{t: t, rng: rand.New(rand.NewPCG(seed, 3*number)), stop: make(chan struct{})}
	s.sides = newSides(t, "laptop", "box")
	pairSides(s.sides[0], s.sides[1])
	for i, side := range s.sides {
		side.start()
		side.up()
		desk := side.home + "-desk"
		must(t, os.Mkdir(desk, 0o755))
		s.editors = append(s.editors, &editor{
			side: side, rng: rand.New(rand.NewPCG(seed, 3*number+uint64(i)+1)), ledger: newLedger(side.folder), desk: desk, done: make(map[string]int),
		})
	}
	s.sides[0].zsync("status", "--wait", "--timeout", "30s")
	s.began = time.Now()
	for _, e := range s.editors {
		s.people.Go(func() { e.live(s.stop) })
		s.people.Go(func() { e.ledger.watch(s.stop) })
	}
	t.Cleanup(s.end)
	return s
}

// close has the people go home and, where the session failed, tells of it.
func (s *session) close() {
	s.end()
	if s.t.Failed() {
		s.tell()
	}
}

// end has the people go home.
func (s *session) end() {
	select {
	case <-s.stop:
	default:
		close(s.stop)
	}
	s.people.Wait()
}

// play kills a device until it was done that many times as it should.
func (s *session) play(rounds int, sum *figures) {
	s.t.Helper()
	for void := 0; rounds > 0; {
		point, times := sum.next()
		if s.round(point, times, sum) {
			rounds--
			continue
		}
		sum.void++
		if void++; void > 2*sessionRounds {
			s.t.Fatalf("%d rounds that do not count", void)
		}
	}
}

// round kills one device at a point and lets it go on, or leaves it dead. Where the
// next round is its own again, it is killed while it mends what the kill before has
// done. It reports whether the round counts.
func (s *session) round(point failpoint.Point, times int, sum *figures) (counts bool) {
	s.t.Helper()
	before, began := s.totals(), time.Now()
	which := s.rng.IntN(2)
	victim, other := s.sides[which], s.sides[1-which]
	if other.isDead() {
		other.start()
	}
	if victim.isDead() {
		times = min(times, mendingTimes)
	} else {
		victim.end()
	}
	times = 1 + s.rng.IntN(times)
	victim.orders = []string{fmt.Sprintf("ZSYNC_FAILPOINT=%s:%d", point, times)}
	victim.start()
	victim.orders = nil
	reached := s.reaches(victim)
	if s.rng.IntN(3) > 0 {
		victim.start()
		time.Sleep(goOnTime)
	}
	for _, side := range s.sides {
		if !side.isDead() {
			side.up()
		}
	}
	s.confirm()
	slowest := s.slowest(before, time.Since(began))
	s.t.Logf("%s at %s:%d: reached %t, in %.1f s, %.0f operations a second", victim.name, point, times, reached, time.Since(began).Seconds(), slowest)
	if !reached || slowest < operationsMin {
		return false
	}
	sum.count(point, slowest)
	return true
}

func (s *session) totals() (totals []int) {
	for _, e := range s.editors {
		totals = append(totals, e.total())
	}
	return totals
}

// slowest is how many operations a second were done on the side with fewer.
func (s *session) slowest(before []int, in time.Duration) float64 {
	least := 0
	for i, total := range s.totals() {
		if i == 0 || total-before[i] < least {
			least = total - before[i]
		}
	}
	return float64(least) / in.Seconds()
}

// settle lets the devices come to rest and compares what they have with each other
// and with what they had.
func (s *session) settle(sum *figures) {
	s.t.Helper()
	s.end()
	sum.lived += 2 * time.Since(s.began)
	for _, side := range s.sides {
		if side.isDead() {
			side.start()
		}
		side.up()
	}
	err := s.agree()
	for i, e := range s.editors {
		left, lost := e.ledger.check(s.t, e.side.name, s.editors[1-i].ledger)
		sum.versions, sum.left, sum.lost = sum.versions+e.ledger.ever, sum.left+left, sum.lost+lost
		if sum.done == nil {
			sum.done = make(map[string]int)
		}
		for what, count := range e.done {
			sum.done[what] += count
		}
	}
	if err != nil {
		s.t.Error(err)
	}
}

// agree waits until both devices say that all is in sync, with everything confirmed
// that is held back, and says how the trees differ then.
func (s *session) agree() error {
	for began := time.Now(); ; time.Sleep(100 * time.Millisecond) {
		err := differing(s.sides)
		if err == nil {
			return nil
		}
		if time.Since(began) > settleTime {
			return errors.Join(err, sameTrees(s.sides))
		}
		s.confirm()
	}
}

// tell prints what helps to find out why a session failed, and keeps its files.
func (s *session) tell() {
	s.t.Helper()
	for _, side := range s.sides {
		out, err := exec.Command("zsync", "status", "--json", "--home", side.home).CombinedOutput()
		s.t.Logf("%s: %v\n%s\n%s", side.name, err, out, side.said())
		if !side.isDead() {
			side.kill()
		}
	}
	kept := filepath.Dir(s.sides[0].home)
	if err := os.Rename(kept, kept+"-failed"); err == nil {
		s.t.Logf("what they have is in %s", kept+"-failed")
	}
}

// isDead reports whether the device was killed, or ended, and not started again.
func (s *side) isDead() bool { return s.process.ProcessState != nil }

// reaches waits until a device is killed at its fail point, and reports whether it
// was in time; else it is killed now. What is held back meanwhile is confirmed, so
// that there is always something to do.
func (s *session) reaches(victim *side) (inTime bool) {
	s.t.Helper()
	died := make(chan struct{})
	go func() {
		defer close(died)
		_ = victim.process.Wait() // says that it was killed
	}()
	late := time.After(reachTime)
	for inTime = true; ; {
		select {
		case <-died:
			victim.wasKilled()
			return inTime
		case <-late:
			inTime = false
			_ = victim.process.Process.Kill()
		case <-time.After(confirmEvery):
			s.confirm()
		}
	}
}

// confirm lets everything through that is held back.
func (s *session) confirm() {
	for _, side := range s.sides {
		side.confirm()
	}
}

// wasKilled fails the test where the device ended in any other way.
func (s *side) wasKilled() {
	s.t.Helper()
	if status := s.process.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGKILL {
		s.t.Fatalf("%s ended by itself: %v\n%s", s.name, s.process.ProcessState, s.said())
	}
}
