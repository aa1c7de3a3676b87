package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

// slowReader is a device that tells of a scrub what it is given, and then nothing new.
type slowReader struct {
	reports []device.ScrubReport
	order   device.Scrub
	stopped chan uint64
}

func (s *slowReader) Scrub(label string, order device.Scrub) error {
	if label == "none" {
		return errors.New("no such folder")
	}
	s.order = order
	return nil
}

func (s *slowReader) StopScrub(_ string, ticket uint64) { s.stopped <- ticket }

func (s *slowReader) Scrubbed(string, uint64) (device.ScrubReport, bool, error) {
	report := s.reports[0]
	if len(s.reports) > 1 {
		s.reports = s.reports[1:]
	}
	return report, true, nil
}

func scrubOf(ctx context.Context, s *slowReader, body string) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodPost, pathScrub, strings.NewReader(body)).WithContext(ctx)
	(&scrubber{device: s}).scrub(w, r)
	return w
}

func TestAScrubIsToldAsItGoesAndItsDamageAtTheEnd(t *testing.T) {
	damage := replica.ScrubStatus{Files: 2, Seen: 2, Verified: 1, Damaged: 1, Damage: []replica.Damage{
		{Path: "a", Size: 3, Content: zsync.Digest{1}, State: replica.DamageRepaired, Kept: "000000/000000001~a"},
	}}
	s := &slowReader{reports: []device.ScrubReport{
		{ScrubStatus: replica.ScrubStatus{Reading: true, Files: 2}},
		{ScrubStatus: damage},
		{ScrubStatus: damage, Done: true},
	}}
	w := scrubOf(t.Context(), s, `{"folder":"Photos","share":0.05,"anyway":true}`)
	if s.order.Share != 0.05 || !s.order.Anyway || s.order.Ticket == 0 {
		t.Errorf("the order is %+v", s.order)
	}
	var lines []Scrubbed
	for decoder := json.NewDecoder(w.Body); decoder.More(); {
		var line Scrubbed
		if err := decoder.Decode(&line); err != nil {
			t.Fatal(err)
		}
		lines = append(lines, line)
	}
	if len(lines) != 3 || lines[1].Done || len(lines[1].Damage) != 0 || lines[1].Repaired != 1 {
		t.Fatalf("it tells %+v", lines)
	}
	if last := lines[2]; !last.Done || len(last.Damage) != 1 || last.Damage[0].Kept == "" || last.Damage[0].State != "repaired" {
		t.Errorf("at the end it tells %+v", last)
	}
}

func TestAScrubThatNobodyReadsAnyMoreIsStopped(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &slowReader{reports: []device.ScrubReport{{ScrubStatus: replica.ScrubStatus{Reading: true}}}, stopped: make(chan uint64, 1)}
	cancel()
	scrubOf(ctx, s, `{"folder":"Photos","share":1}`)
	if got := <-s.stopped; got != s.order.Ticket {
		t.Errorf("scrub %d was stopped", got)
	}
}

func TestAScrubThatMakesNoSenseIsRefused(t *testing.T) {
	for body, want := range map[string]int{
		`{"folder":"Photos","share":0}`: http.StatusBadRequest,
		`{"folder":"Photos","share":2}`: http.StatusBadRequest,
		`{"folder":"none","share":1}`:   http.StatusConflict,
		`nothing`:                       http.StatusBadRequest,
	} {
		if got := scrubOf(t.Context(), &slowReader{}, body).Code; got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
}
