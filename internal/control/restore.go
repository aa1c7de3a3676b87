package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

const (
	pathPast  = "/v1/past"
	pathTrash = "/v1/trash"
	// pastBytesMax bounds a request: of names of versions, there may be many.
	pastBytesMax = 64 << 20
	// pastEvery is how often a folder is asked how far it is.
	pastEvery = 50 * time.Millisecond
	// beginTime is how long a folder may take to begin.
	beginTime = time.Minute
)

// Historian is what a running device offers that brings things back.
type Historian interface {
	Bring(label string, order device.Bring) error
	Brought(label string, ticket uint64) (device.Report, bool, error)
	Trash(label string) ([]device.TrashLine, error)
	Discard(label string, order device.Discard) error
	Discarding(label string, ticket uint64) (bool, error)
}

// Past asks for things to be brought back in a folder: a path as it was, or, with
// Event or Device, what these did to be taken back.
type Past struct {
	Folder string `json:"folder"`
	Path   string `json:"path,omitempty"`
	To     string `json:"to,omitempty"`
	At     Moment `json:"at"`
	Event  string `json:"event,omitempty"`
	Device string `json:"device,omitempty"`
	Since  Moment `json:"since"`
	DryRun bool   `json:"dry_run,omitempty"`
}

// Moment is a time, or a Lamport time; the zero Moment is none.
type Moment struct {
	Wall    time.Time `json:"wall"`
	Lamport uint64    `json:"lamport"`
}

// Brought is one thing that was to be brought back, and what became of it.
type Brought struct {
	Version int    `json:"v"`
	Folder  string `json:"folder"`
	Do      string `json:"do"`
	Path    string `json:"path"`
	From    string `json:"from"`
	Dir     bool   `json:"dir"`
	Size    int64  `json:"size"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
}

// Trashed is one file in the versions area of a folder.
type Trashed struct {
	Version int    `json:"v"`
	Folder  string `json:"folder"`
	Path    string `json:"path"`
	When    string `json:"when"`
	Size    int64  `json:"size"`
	Content string `json:"content"`
	Name    string `json:"name"`
}

// discardRequest names what is to be removed for good.
type discardRequest struct {
	Folder string   `json:"folder"`
	Names  []string `json:"names"`
}

// Bring asks for things to be brought back, and waits until they are.
func (c *Client) Bring(ctx context.Context, past Past) (brought []Brought, err error) {
	err = c.ask(ctx, http.MethodPost, pathPast, past, &brought)
	return brought, err
}

// Trash returns what is in the versions area of a folder, the newest first.
func (c *Client) Trash(ctx context.Context, folder string) (trashed []Trashed, err error) {
	err = c.ask(ctx, http.MethodGet, pathTrash+"?folder="+url.QueryEscape(folder), nil, &trashed)
	return trashed, err
}

// Discard removes files of a folder's versions area, and waits until they are gone.
func (c *Client) Discard(ctx context.Context, folder string, names []string) error {
	return c.ask(ctx, http.MethodPost, pathTrash, discardRequest{folder, names}, &struct{}{})
}

// historian serves what brings things back.
type historian struct {
	device  Historian
	tickets atomic.Uint64
}

// servePast adds what brings things back, where the device offers it.
func servePast(mux *http.ServeMux, running Running) {
	offered, ok := running.(Historian)
	if !ok {
		return
	}
	h := &historian{device: offered}
	mux.HandleFunc("POST "+pathPast, answered(h.bring))
	mux.HandleFunc("GET "+pathTrash, answered(h.trash))
	mux.HandleFunc("POST "+pathTrash, answered(h.discard))
}

func answered(serve func(r *http.Request) (any, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, pastBytesMax)
		answer, err := serve(r)
		if err != nil {
			fail(w, err, http.StatusConflict)
			return
		}
		reply(w, answer)
	}
}

func (h *historian) bring(r *http.Request) (any, error) {
	var past Past
	if err := json.NewDecoder(r.Body).Decode(&past); err != nil {
		return nil, err
	}
	order, err := past.order()
	if err != nil {
		return nil, err
	}
	order.Ticket = h.tickets.Add(1)
	if err := h.device.Bring(past.Folder, order); err != nil {
		return nil, err
	}
	report, err := h.wait(r.Context(), past.Folder, order.Ticket)
	if err == nil && report.Why != "" {
		err = errors.New(report.Why)
	}
	if err != nil {
		return nil, err
	}
	lines := make([]Brought, len(report.Lines))
	for i, line := range report.Lines {
		lines[i] = Brought{
			1, past.Folder, line.Do, string(line.Path), string(line.From), line.Type == zsync.TypeDir,
			line.Size, string(line.Outcome), line.Why,
		}
	}
	return lines, nil
}

// wait waits for the end of a job. A folder that was opened anew does not know of it.
func (h *historian) wait(ctx context.Context, label string, ticket uint64) (report device.Report, err error) {
	begun, deadline := false, time.Now().Add(beginTime)
	err = poll(ctx, func() (bool, error) {
		var known bool
		var err error
		report, known, err = h.device.Brought(label, ticket)
		if err == nil && !known && (begun || time.Now().After(deadline)) {
			err = fmt.Errorf("the folder %q was opened anew meanwhile; run it again: what is done already is left as it is", label)
		}
		begun = known
		return known && report.Done, err
	})
	return report, err
}

// poll asks until something is done.
func poll(ctx context.Context, done func() (bool, error)) error {
	for {
		if is, err := done(); is || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pastEvery):
		}
	}
}

// order parses what a person asks for.
func (p Past) order() (order device.Bring, err error) {
	order = device.Bring{At: device.When(p.At), Since: device.When(p.Since), DryRun: p.DryRun}
	if order.Path, err = zsync.ParsePath(p.Path); err != nil {
		return order, err
	}
	if order.To, err = zsync.ParsePath(p.To); err != nil {
		return order, err
	}
	if p.Event != "" {
		digest, err := zsync.ParseDigest(p.Event)
		if err != nil {
			return order, err
		}
		order.Event = zsync.EventID(digest)
	}
	if p.Device != "" {
		order.Device, err = zsync.ParseDeviceID(p.Device)
	}
	return order, err
}

func (h *historian) trash(r *http.Request) (any, error) {
	lines, err := h.device.Trash(r.URL.Query().Get("folder"))
	trashed := make([]Trashed, len(lines))
	for i, line := range lines {
		trashed[i] = Trashed{1, line.Folder, string(line.Path), "", line.Size, line.Content.String(), line.Name}
		if !line.When.IsZero() {
			trashed[i].When = line.When.UTC().Format(time.RFC3339)
		}
	}
	return trashed, err
}

func (h *historian) discard(r *http.Request) (any, error) {
	var asked discardRequest
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		return nil, err
	}
	order := device.Discard{Ticket: h.tickets.Add(1), Names: asked.Names}
	if err := h.device.Discard(asked.Folder, order); err != nil {
		return nil, err
	}
	err := poll(r.Context(), func() (bool, error) { return h.device.Discarding(asked.Folder, order.Ticket) })
	if err != nil {
		err = fmt.Errorf("%s: %w", asked.Folder, err)
	}
	return struct{}{}, err
}
