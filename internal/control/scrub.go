package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

const (
	pathScrub = "/v1/scrub"
	// scrubEvery is how often a folder is asked how far it is.
	scrubEvery = 200 * time.Millisecond
)

// Scrubber is what a running device offers that reads its files again.
type Scrubber interface {
	Scrub(label string, order device.Scrub) error
	StopScrub(label string, ticket uint64)
	Scrubbed(label string, ticket uint64) (device.ScrubReport, bool, error)
}

// Scrub asks for a share of a folder's files to be read again.
type Scrub struct {
	Folder string  `json:"folder"`
	Share  float64 `json:"share"`            // above 0 and up to 1
	Anyway bool    `json:"anyway,omitempty"` // repair however many are damaged
}

// Scrubbed is how far a scrub is, and, with Done, what it found.
type Scrubbed struct {
	Version  int       `json:"v"`
	Folder   string    `json:"folder"`
	Done     bool      `json:"done"`
	Files    int64     `json:"files"`    // that are to be read
	Seen     int64     `json:"seen"`     // of these
	Verified int64     `json:"verified"` // hold what they should
	Bytes    int64     `json:"bytes"`    // read
	Changed  int64     `json:"changed"`  // passed over: a scan reads them
	Fickle   int64     `json:"fickle"`   // read wrong once and then right
	Damaged  int64     `json:"damaged"`
	Repaired int64     `json:"repaired"`
	Waiting  bool      `json:"waiting"` // for the first scan, or for the folder's directory
	Held     bool      `json:"held"`    // too many are damaged to repair them unasked
	Damage   []Damage  `json:"damage"`
	Unread   []Problem `json:"unread"`
	Error    string    `json:"error,omitempty"`
}

// Damage is one damaged file and what became of it.
type Damage struct {
	Path    string `json:"path"`
	Size    int64  `json:"size"`
	Content string `json:"content"` // that it should have
	State   string `json:"state"`   // fetching, repaired, held, changed, role
	Kept    string `json:"kept"`    // where the damaged bytes are now, in the versions area
}

// Scrub has a folder's files read again and yields how far that is, until it is done.
// Where ctx ends, the device reads no further.
func (c *Client) Scrub(ctx context.Context, order Scrub, yield func(Scrubbed) error) error {
	data, err := json.Marshal(order)
	if err != nil {
		return err
	}
	body, err := c.do(ctx, http.MethodPost, pathScrub, data)
	if err != nil {
		return err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for done := false; !done; {
		var line Scrubbed
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return fmt.Errorf("the device ended; run it again: it goes on where it was")
		} else if err != nil {
			return err
		}
		if line.Error != "" {
			return errors.New(line.Error)
		}
		if err := yield(line); err != nil {
			return err
		}
		done = line.Done
	}
	return nil
}

// scrubber serves scrubs.
type scrubber struct {
	device  Scrubber
	tickets atomic.Uint64
}

// serveScrub adds scrubs, where the device offers them.
func serveScrub(mux *http.ServeMux, running Running) {
	if offered, ok := running.(Scrubber); ok {
		s := &scrubber{device: offered}
		mux.HandleFunc("POST "+pathScrub, s.scrub)
	}
}

func (s *scrubber) scrub(w http.ResponseWriter, r *http.Request) {
	var asked Scrub
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, orderBytesMax)).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if asked.Share <= 0 || asked.Share > 1 {
		http.Error(w, fmt.Sprintf("a share of %v: it lies above 0 and is 1 at most", asked.Share), http.StatusBadRequest)
		return
	}
	order := device.Scrub{Ticket: s.tickets.Add(1), Scrub: replica.Scrub{Share: asked.Share, Anyway: asked.Anyway}}
	if err := s.device.Scrub(asked.Folder, order); err != nil {
		fail(w, err, http.StatusConflict)
		return
	}
	w.Header().Set("Content-Type", contentTypeJSON)
	if err := s.tell(w, r, asked.Folder, order.Ticket); err != nil {
		s.device.StopScrub(asked.Folder, order.Ticket) // the reader is gone
	}
}

// tell streams how far a scrub is, where that has changed, until it is done. An error
// says that nobody reads it.
func (s *scrubber) tell(w http.ResponseWriter, r *http.Request, label string, ticket uint64) error {
	stream := http.NewResponseController(w)
	var last []byte
	for begun, deadline := false, time.Now().Add(beginTime); ; {
		report, known, err := s.device.Scrubbed(label, ticket)
		if err == nil && !known && (begun || time.Now().After(deadline)) {
			err = fmt.Errorf("the folder %q was opened anew meanwhile; run it again: it goes on where it was", label)
		}
		begun = known
		line := scrubbed(label, report)
		if err != nil {
			line.Error = err.Error()
		}
		if now, marshalErr := json.Marshal(line); marshalErr != nil {
			return marshalErr
		} else if !bytes.Equal(now, last) {
			last = now
			if _, err := w.Write(append(now, '\n')); err != nil {
				return err
			}
			if err := stream.Flush(); err != nil {
				return err
			}
		}
		if err != nil || known && report.Done {
			return nil
		}
		select {
		case <-r.Context().Done():
			return r.Context().Err()
		case <-time.After(scrubEvery):
		}
	}
}

func scrubbed(label string, report device.ScrubReport) Scrubbed {
	line := Scrubbed{
		Version: 1, Folder: label, Done: report.Done, Files: max(report.Files, report.Seen), Seen: report.Seen,
		Verified: report.Verified, Bytes: report.Bytes, Changed: report.Changed, Fickle: report.Fickle,
		Damaged: report.Damaged, Waiting: report.Waiting, Held: report.Held, Damage: []Damage{}, Unread: []Problem{},
	}
	for _, d := range report.Damage {
		if d.State == replica.DamageRepaired {
			line.Repaired++
		}
		if report.Done {
			line.Damage = append(line.Damage, Damage{string(d.Path), d.Size, contentText(d.Content), string(d.State), d.Kept})
		}
	}
	for _, p := range report.Unread {
		if report.Done {
			line.Unread = append(line.Unread, Problem{string(p.Path), p.Code, p.Why})
		}
	}
	return line
}
