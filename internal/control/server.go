package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

const (
	orderBytesMax   = 1 << 16
	shutdownTime    = time.Second
	headerReadTime  = 5 * time.Second
	socketMode      = 0o600
	pathStatus      = "/v1/status"
	pathOrder       = "/v1/order"
	pathLog         = "/v1/log"
	contentTypeJSON = "application/json"
	socketPathMax   = 103 // octets of a Unix socket's path, on every system
)

// ErrPathTooLong is returned where no socket fits in the home.
var ErrPathTooLong = errors.New("the path of the control socket is too long")

// Running is what a running device offers its command line.
type Running interface {
	Snapshot() (device.Snapshot, error)
	Do(order any) error
	History(folder string, yield func(device.HistoryLine) bool) error
	Reading
	Ignored(label device.Label) ([]replica.IgnoreRule, error)
	Ignore(order device.Ignore) error
}

// Order is one thing that a person asks of the running device; one field is set.
type Order struct {
	Watch   *Folder `json:"watch,omitempty"`
	Same    bool    `json:"same_folder,omitempty"` // with Watch: a person vouches for the directory
	Unwatch string  `json:"unwatch,omitempty"`
	Serve   string  `json:"serve,omitempty"`
	Pair    *Dialed `json:"pair,omitempty"`
	Peer    *Dialed `json:"peer,omitempty"`
	Ask     bool    `json:"ask,omitempty"` // asks every peer how far it is
	Confirm string  `json:"confirm,omitempty"`
	Limits  *Limits `json:"limits,omitempty"`
}

// Dialed is a device by key, by address, or by both.
type Dialed struct {
	Key     string `json:"key"`
	Address string `json:"address"`
}

// Server answers for one device on one socket.
type Server struct {
	device   Running
	self     Self
	listener net.Listener
	began    time.Time
}

// Listen opens the socket at path, which a device that was killed may have left
// behind: the caller holds the home's lock, so nobody else is using it.
func Listen(path string, d Running, self Self) (*Server, error) {
	if len(path) > socketPathMax {
		return nil, fmt.Errorf("%w: %s has %d octets, at most %d", ErrPathTooLong, path, len(path), socketPathMax)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	listener, err := net.Listen("unix", path)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	if err := os.Chmod(path, socketMode); err != nil {
		return nil, errors.Join(fmt.Errorf("control socket: %w", err), listener.Close())
	}
	return &Server{device: d, self: self, listener: newReserve(listener), began: time.Now()}, nil
}

// Run serves until the context ends, and then lets the answers under way be given.
func (s *Server) Run(ctx context.Context) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathStatus, s.status)
	mux.HandleFunc("POST "+pathOrder, s.order)
	mux.HandleFunc("GET "+pathLog, s.log)
	mux.HandleFunc("GET "+pathIgnore, s.ignored)
	mux.HandleFunc("POST "+pathIgnore, s.ignore)
	mux.HandleFunc("GET "+pathFollow, s.follow)
	s.serveReading(mux)
	servePast(mux, s.device)
	serveScrub(mux, s.device)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	server := &http.Server{
		Handler: taken(mux), ReadHeaderTimeout: headerReadTime, BaseContext: func(net.Listener) context.Context { return ctx },
		ErrorLog: log.New(io.Discard, "", 0), // what went wrong with a connection, who asked sees
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(s.listener) }() // closes the listener, too
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	late, cancel := context.WithTimeout(context.Background(), shutdownTime)
	defer cancel()
	if server.Shutdown(late) != nil {
		_ = server.Close() // whoever still reads a stream is cut off
	}
	<-served // says that it was shut down
	return nil
}

// status is the status of the device as it prints it.
func (s *Server) status(w http.ResponseWriter, r *http.Request) {
	snapshot, err := s.device.Snapshot()
	if err != nil {
		fail(w, err, http.StatusInternalServerError)
		return
	}
	st := statusOf(snapshot)
	name := st.Device.Name
	st.Device = s.self
	st.Device.Name = name
	if r.URL.Query().Has(queryStats) {
		st.Stats = statsOf(s.began, snapshot.Stages)
	}
	reply(w, st)
}

func (s *Server) order(w http.ResponseWriter, r *http.Request) {
	var order Order
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, orderBytesMax)).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	orders, err := order.orders()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	for _, each := range orders {
		if err := s.device.Do(each); err != nil {
			fail(w, err, http.StatusConflict)
			return
		}
	}
	reply(w, struct{}{})
}

// orders returns what the device is to do: nothing for an empty order.
func (o Order) orders() (out []any, err error) {
	if o.Watch != nil {
		reg, err := o.Watch.registration()
		if err != nil {
			return nil, err
		}
		out = append(out, device.Watch{Registration: reg, Same: o.Same})
	}
	if o.Unwatch != "" {
		label, err := device.ParseLabel(o.Unwatch)
		if err != nil {
			return nil, err
		}
		out = append(out, device.Unwatch{Label: label})
	}
	if o.Serve != "" {
		if err := checkDir(o.Serve); err != nil {
			return nil, err
		}
		out = append(out, device.ServeAll{Dir: o.Serve})
	}
	if o.Pair != nil {
		key, err := zsync.ParseKey(o.Pair.Key)
		if err != nil {
			return nil, err
		}
		out = append(out, device.Pair{Key: key, Address: o.Pair.Address})
	}
	if o.Peer != nil {
		peer := device.Peer{Address: o.Peer.Address}
		if o.Peer.Key != "" {
			if peer.Key, err = zsync.ParseKey(o.Peer.Key); err != nil {
				return nil, err
			}
		}
		out = append(out, peer)
	}
	if o.Ask {
		out = append(out, device.AskProgress{})
	}
	if o.Confirm != "" {
		out = append(out, device.Confirm{ID: o.Confirm})
	}
	if o.Limits != nil {
		limits, err := o.Limits.limits()
		if err != nil {
			return nil, err
		}
		out = append(out, limits)
	}
	return out, nil
}

// registration parses what a person wants to watch.
func (f *Folder) registration() (reg device.Registration, err error) {
	if reg.Label, err = device.ParseLabel(f.Label); err != nil {
		return reg, err
	}
	if f.Role != "" && f.Role != "sync" {
		return reg, fmt.Errorf("role %q: this version knows only the role sync", f.Role)
	}
	reg.Dir, reg.Role = f.Path, f.Role
	return reg, checkDir(f.Path)
}

// checkDir refuses what names no directory, or another one for this process than
// for whoever typed it.
func checkDir(path string) error {
	if !filepath.IsAbs(path) || strings.ContainsRune(path, 0) {
		return fmt.Errorf("%q is not an absolute path", path)
	}
	return nil
}

// log streams the history of a folder, or of all, as NDJSON.
func (s *Server) log(w http.ResponseWriter, r *http.Request) {
	encoder := json.NewEncoder(w)
	err := s.device.History(r.URL.Query().Get("folder"), func(line device.HistoryLine) bool {
		return encoder.Encode(LineOf(line)) == nil
	})
	if err != nil {
		fail(w, err, http.StatusInternalServerError)
	}
}

// replyList answers with a list, each line turned into what is printed of it, or with
// why there is none. A list without lines is no null.
func replyList[From, To any](w http.ResponseWriter, all []From, err error, turned func(From) To) {
	if err != nil {
		fail(w, err, http.StatusNotFound)
		return
	}
	out := make([]To, len(all))
	for i, one := range all {
		out[i] = turned(one)
	}
	reply(w, out)
}

func reply(w http.ResponseWriter, what any) {
	w.Header().Set("Content-Type", contentTypeJSON)
	if err := json.NewEncoder(w).Encode(what); err != nil {
		return // the client is gone
	}
}
