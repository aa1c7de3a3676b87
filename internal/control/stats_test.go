package control

import (
	"testing"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/meter"
)

func TestWhatTheDeviceDidIsToldOnlyToWhoAsks(t *testing.T) {
	stages := new(meter.Stages)
	stages.Hash.Add(3, 3000, 2*time.Millisecond)
	stages.Hash.Add(1, 1, time.Millisecond)
	client, _ := serving(t, &fake{snapshot: device.Snapshot{Stages: stages}})
	st, err := client.Status(t.Context())
	if err != nil || st.Stats != nil {
		t.Fatalf("%+v, %v", st.Stats, err)
	}
	if st, err = client.Stats(t.Context()); err != nil || st.Stats == nil {
		t.Fatalf("%+v, %v", st.Stats, err)
	}
	byName := make(map[string]Stage)
	for _, stage := range st.Stats.Stages {
		byName[stage.Stage] = stage
	}
	want := Stage{Stage: "hash", Times: 2, Items: 4, Of: "files", Bytes: 3001, Busy: 3, Longest: 2}
	if byName["hash"] != want {
		t.Errorf("%+v, not %+v", byName["hash"], want)
	}
	if flush, told := byName["flush"]; !told || flush.Times != 0 {
		t.Errorf("a stage that never ran: %+v, %t", flush, told)
	}
	if p := st.Stats.Process; p.Goroutines == 0 || p.Heap == 0 || st.Stats.Since == "" {
		t.Errorf("%+v", st.Stats)
	}
}
