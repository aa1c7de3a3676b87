package sim_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/sim"
)

const (
	firstSeed  = 1_000_000
	operations = 50_000 // that people do in one run, where ZSYNC_OPS does not say
	enough     = 10_000 // for everything to have happened
	perWorld   = 1_000
	rounds     = 2 // of everything going wrong and then nothing, in each world
	// convergesIn is more than the hour after which a device looks through its whole
	// folder of its own accord: what it could not read is tried again then.
	convergesIn  = 80 * time.Minute
	devicesOfAll = 5
)

// tally is what happened in all worlds.
type tally struct {
	mutex sync.Mutex
	ops   int
	fired map[sim.Fault]int
	done  map[sim.Action]int
	time  time.Duration

	worlds, lost int // worlds in all, octets that are nowhere any more
	red          []uint64
	out          io.Writer // a line for each world; nil: for none
}

func (s *tally) add(ops int, w *sim.World, load *sim.Workload, took time.Duration) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.ops += ops
	s.time += took
	for kind, n := range w.Fired {
		s.fired[kind] += n
	}
	for kind, n := range load.Done {
		s.done[kind] += n
	}
}

// ended takes down how a world ended.
func (s *tally) ended(seed uint64, ops int, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.worlds++
	what := "no violation"
	var lost *sim.LostError
	if errors.As(err, &lost) {
		s.lost += lost.Octets
	}
	if err != nil {
		s.red = append(s.red, seed)
		what = "VIOLATION: " + strings.ReplaceAll(err.Error(), "\n", "; ")
	}
	if s.out != nil {
		fmt.Fprintf(s.out, "world %d: %d operations, %s\n", seed, ops, what)
	}
}

// number returns what an environment variable says, or else.
func number(name string, otherwise uint64) uint64 {
	n, err := strconv.ParseUint(os.Getenv(name), 10, 64)
	if err != nil {
		return otherwise
	}
	return n
}

// TestFiveDevicesAndEveryFaultLoseNothing runs as many operations as ZSYNC_OPS says,
// in worlds whose seeds begin with ZSYNC_FIRST. Where ZSYNC_OPS is set, it prints a
// line for each world as it ends.
func TestFiveDevicesAndEveryFaultLoseNothing(t *testing.T) {
	t.Parallel()
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small, and there are many
	worlds := (number("ZSYNC_OPS", operations) + perWorld - 1) / perWorld
	first := number("ZSYNC_FIRST", 0)
	all := &tally{fired: make(map[sim.Fault]int), done: make(map[sim.Action]int)}
	if os.Getenv("ZSYNC_OPS") != "" {
		all.out = os.Stdout
	}
	seeds := make(chan uint64)
	var group sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		group.Go(func() {
			for seed := range seeds {
				ops, err := misuse(seed, all)
				all.ended(seed, ops, err)
				if err != nil {
					t.Errorf("seed %d: %v", seed, err)
				}
			}
		})
	}
	for i := range worlds {
		seeds <- first + i
	}
	for _, seed := range remembered(t) {
		seeds <- seed
	}
	close(seeds)
	group.Wait()
	all.tell(t)
}

// Of this many operations one at least is struck by each kind of fault, of the second
// number by what takes the place of all that a device has, once in a round.
const (
	oneOf     = 500
	oneOfRare = 10_000
)

// atLeast is how often a fault must have struck.
func (s *tally) atLeast(fault sim.Fault) int {
	switch fault {
	case sim.Restore, sim.RestoreImage, sim.RestoreAll, sim.LostDatabase, sim.Clone:
		return s.ops / oneOfRare
	}
	return s.ops / oneOf
}

// tell fails where something that could happen did not, or hardly: no test has seen it.
func (s *tally) tell(t *testing.T) {
	slices.Sort(s.red)
	t.Logf("%d operations in %d worlds and %s of virtual time: %d octets lost, %d violations %v",
		s.ops, s.worlds, s.time, s.lost, len(s.red), s.red)
	for _, action := range sim.Actions() {
		t.Logf("%8d  %s", s.done[action], action)
		if s.done[action] == 0 && s.ops >= enough {
			t.Errorf("nobody did this: %s", action)
		}
	}
	for _, fault := range sim.Faults() {
		t.Logf("%8d  %s", s.fired[fault], fault)
		if least := s.atLeast(fault); s.fired[fault] < least && s.ops >= enough && os.Getenv("ZSYNC_FAULTS") == "" {
			t.Errorf("this happened less than %d times: %s", least, fault)
		}
	}
}

// misuse has people use one world while everything goes wrong in it.
func misuse(seed uint64, all *tally) (ops int, err error) {
	defer func() {
		if what := recover(); what != nil {
			err = fmt.Errorf("panic: %v %s", what, debug.Stack())
		}
	}()
	w := sim.NewWorld(firstSeed+seed, disk.Carry)
	load, err := five(w)
	if err != nil {
		return 0, err
	}
	nemesis := sim.NewNemesis(w, load.Ledger)
	restrict(nemesis)
	began := w.Now()
	defer func() { all.add(ops, w, load, w.Now().Sub(began)) }()
	for round := range rounds {
		nemesis.GoBack()
		for ops < (round+1)*perWorld/rounds {
			ops += load.Burst()
			nemesis.Strike()
			if err := w.Run(w.Gap()); err != nil {
				return ops, fmt.Errorf("operation %d: %w", ops, err)
			}
		}
		nemesis.Mend()
		if err := peace(w, load); err != nil {
			return ops, fmt.Errorf("after %d operations: %w", ops, err)
		}
	}
	return ops, nil
}

// restrict leaves of all that goes wrong only what ZSYNC_FAULTS names, separated by
// commas: to find out what a failure takes.
func restrict(nemesis *sim.Nemesis) {
	only := os.Getenv("ZSYNC_FAULTS")
	if only == "" {
		return
	}
	clear(nemesis.Kinds)
	for kind := range strings.SplitSeq(only, ",") {
		nemesis.Kinds[sim.Fault(kind)] = true
	}
}

// five makes as many devices that know each other in a chain.
func five(w *sim.World) (*sim.Workload, error) {
	for i := range devicesOfAll {
		w.Add(fmt.Sprintf("device%d", i)).Watch()
	}
	for i := range devicesOfAll - 1 {
		w.Pair(w.Nodes[i], w.Nodes[i+1])
		if err := w.Run(15 * time.Second); err != nil {
			return nil, err
		}
	}
	return sim.NewWorkload(w), converge(w)
}

// converge lets the time pass until the devices agree, which is looked at ever more
// seldom.
func converge(w *sim.World) error {
	wait := time.Second
	for end := w.Now().Add(convergesIn); ; wait += wait / 4 {
		if err := w.Run(wait); err != nil {
			return err
		}
		switch err := w.Converged(); {
		case err == nil:
			return nil
		case w.Now().After(end):
			return fmt.Errorf("after %s: %w", convergesIn, err)
		}
	}
}

// peace says what is wrong once nothing goes wrong any more; of devices that do not
// agree also whether anything is lost.
func peace(w *sim.World, load *sim.Workload) error {
	if err := converge(w); err != nil {
		return errors.Join(err, load.Ledger.Check())
	}
	for _, check := range []func() error{load.Ledger.Check, w.Rescan, func() error { return w.Idle(1) }} {
		if err := check(); err != nil {
			return err
		}
	}
	w.Restart()
	if err := converge(w); err != nil {
		return fmt.Errorf("after a restart: %w", err)
	}
	return errors.Join(load.Ledger.Check(), w.Bounded())
}
