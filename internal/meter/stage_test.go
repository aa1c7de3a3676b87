package meter

import (
	"reflect"
	"sync"
	"testing"
	"time"
)

func TestAStageAddsUpAndKeepsTheLongest(t *testing.T) {
	var s Stage
	var running sync.WaitGroup
	for i := range 4 {
		running.Go(func() {
			for j := range 100 {
				s.Add(2, 10, time.Duration(100*i+j))
			}
		})
	}
	running.Wait()
	want := Reading{Times: 400, Items: 800, Octets: 4000, Busy: 399 * 400 / 2, Longest: 399}
	if got := s.Read(); got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

func TestAStageThatIsNotThereCountsNothing(t *testing.T) {
	var none *Stage
	none.Add(1, 1, 1)
	if got := none.Read(); got != (Reading{}) {
		t.Errorf("%+v", got)
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var s Stage
	if n := testing.AllocsPerRun(100, func() { s.Add(1, 1, 1) }); n != 0 {
		t.Errorf("%f allocations", n)
	}
}

func TestEachStageIsTold(t *testing.T) {
	var s Stages
	told := make(map[*Stage]bool)
	names := make(map[string]bool)
	s.Each(func(name, _ string, stage *Stage) { told[stage], names[name] = true, true })
	if n := reflect.TypeFor[Stages]().NumField(); len(told) != n || len(names) != n {
		t.Errorf("%d stages by %d names of %d", len(told), len(names), n)
	}
}

func BenchmarkAdd(b *testing.B) {
	var s Stage
	for b.Loop() {
		s.Add(1, 1, 1)
	}
}
