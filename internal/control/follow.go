package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

const pathFollow = "/v1/log/follow"

// followEvery is how long a log that is followed is left alone at least. A folder
// is read anew as a whole where it changed, so the pause is also so many times as
// long as that took: following costs a folder a few percent of its time.
const (
	followEvery = 200 * time.Millisecond
	followPause = 20
)

// Follow streams the history of a folder, or of all (""), oldest first, and then
// each event as this device takes it, until the device ends, which is no error, or
// ctx does.
func (c *Client) Follow(ctx context.Context, folder string, yield func(Line) error) error {
	return stream(ctx, c, pathFollow+"?folder="+url.QueryEscape(folder), yield)
}

// follow streams a log as NDJSON until the reader goes or the device ends.
func (s *Server) follow(w http.ResponseWriter, r *http.Request) {
	label := r.URL.Query().Get("folder")
	f := follower{device: s.device, frontiers: make(map[string]string), shown: make(map[zsync.EventID]int)}
	if why := f.lacks(label); why != "" {
		http.Error(w, why, http.StatusNotFound)
		return
	}
	encoder, stream := json.NewEncoder(w), http.NewResponseController(w)
	w.Header().Set("Content-Type", contentTypeJSON)
	for {
		began := time.Now()
		err := f.fresh(label, func(line Line) error { return encoder.Encode(line) })
		if errors.Join(err, stream.Flush()) != nil {
			return // the reader is gone
		}
		select {
		case <-r.Context().Done():
			return
		case <-time.After(max(followEvery, followPause*time.Since(began))):
		}
	}
}

// follower knows what of the logs has been shown.
type follower struct {
	device    Running
	frontiers map[string]string     // by space, as it was when its log was read last
	shown     map[zsync.EventID]int // in which reading
	readings  int
}

// lacks says why the log of a folder cannot be followed; "": it can.
func (f *follower) lacks(label string) (why string) {
	s, _ := f.device.Snapshot()
	if label == "" || slices.ContainsFunc(s.Folders, func(folder device.FolderStatus) bool { return folder.Label == label }) {
		return ""
	}
	halted := slices.IndexFunc(s.Halted, func(h device.Halted) bool { return string(h.Label) == label })
	if halted >= 0 { // or busy
		return s.Halted[halted].Why
	}
	return fmt.Sprintf("this device keeps no folder %q", label)
}

// fresh yields what has come into the log of a folder, or of all (""), since it
// was called last. At first that is all that was, in order of time.
func (f *follower) fresh(label string, yield func(Line) error) error {
	var changed []string
	s, _ := f.device.Snapshot() // a folder that is busy shows its news when it is not
	for _, folder := range s.Folders {
		space, frontier := folder.Space.String(), fmt.Sprint(folder.Frontier)
		if label != "" && label != folder.Label || f.frontiers[space] == frontier {
			continue
		}
		f.frontiers[space] = frontier
		changed = append(changed, folder.Label)
	}
	if f.readings == 0 {
		changed = []string{label}
	}
	for _, each := range changed {
		if err := f.read(each, yield); err != nil {
			return err
		}
	}
	return nil
}

// read yields the events of one folder, or of all (""), that have not been shown. An event that
// came late from afar stands below others in the log; it is news all the same. A
// folder that is given up at this moment has none.
func (f *follower) read(label string, yield func(Line) error) (err error) {
	f.readings++
	_ = f.device.History(label, func(line device.HistoryLine) bool {
		if f.shown[line.Event] == 0 {
			f.shown[line.Event] = f.readings
		}
		if f.shown[line.Event] == f.readings {
			err = yield(LineOf(line))
		}
		return err == nil
	})
	return err
}
