package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/replica"
)

const (
	pathWhy    = "/v1/why"
	pathTree   = "/v1/tree"
	pathEvents = "/v1/events"
	pathShow   = "/v1/show"
)

// Reading is what a running device offers to whoever wants to know.
type Reading interface {
	Conflicts(folder string) ([]device.Conflict, error)
	Keep(folder string, order device.KeepVersions) (settled int, err error)
	Why(folder string, path zsync.Path) (device.Why, error)
	Tree(folder string, path zsync.Path, yield func(device.TreeLine) bool) error
	Events(folder string, yield func(device.LogEvent) bool) error
	Show(digits string) ([]device.Shown, error)
}

func (s *Server) serveReading(mux *http.ServeMux) {
	mux.HandleFunc("GET "+pathConflicts, s.conflicts)
	mux.HandleFunc("POST "+pathKeep, s.keep)
	mux.HandleFunc("GET "+pathWhy, s.why)
	mux.HandleFunc("GET "+pathTree, s.tree)
	mux.HandleFunc("GET "+pathEvents, s.events)
	mux.HandleFunc("GET "+pathShow, s.show)
}

// Why is what `zsync why --json` prints.
type Why struct {
	Version int    `json:"v"`
	Folder  string `json:"folder"`
	Path    string `json:"path"`
	Code    string `json:"code"`
	Why     string `json:"why"`
	// Devices are the others, where this one has the path as the log has it.
	Devices []Holder `json:"devices"`
}

// Holder is another device, and whether it has what this one has.
type Holder struct {
	Device    string `json:"device"`
	Name      string `json:"name"`
	Has       string `json:"has"` // yes, no or unknown
	Why       string `json:"why"`
	Connected bool   `json:"connected"`
	Seen      string `json:"seen"`
}

func whyOf(why device.Why) Why {
	out := Why{Version: 1, Folder: why.Folder, Path: string(why.Path), Code: why.Code, Why: why.Why, Devices: []Holder{}}
	for _, h := range why.Holders {
		out.Devices = append(out.Devices, Holder{h.Device.String(), h.Name, h.Has, h.Why, h.Connected, stamp(h.Seen)})
	}
	return out
}

// Why asks how a path of a folder stands.
func (c *Client) Why(ctx context.Context, folder, path string) (why Why, err error) {
	err = c.ask(ctx, http.MethodGet, pathWhy+"?"+place(folder, path), nil, &why)
	return why, err
}

func place(folder, path string) string {
	return url.Values{"folder": {folder}, "path": {path}}.Encode()
}

func (s *Server) why(w http.ResponseWriter, r *http.Request) {
	folder, text := r.URL.Query().Get("folder"), r.URL.Query().Get("path")
	path, err := zsync.ParsePath(text)
	if err != nil {
		code := "name"
		if first, _, _ := strings.Cut(text, "/"); first == zsync.PrivateDir {
			code = replica.CodePrivate
		}
		reply(w, Why{Version: 1, Folder: folder, Path: text, Code: code, Why: err.Error(), Devices: []Holder{}})
		return
	}
	why, err := s.device.Why(folder, path)
	if err != nil {
		fail(w, err, http.StatusNotFound)
		return
	}
	reply(w, whyOf(why))
}

// TreeLine is what `zsync ls --json` prints for one name.
type TreeLine struct {
	Version  int    `json:"v"`
	Folder   string `json:"folder"`
	Path     string `json:"path"`
	Type     string `json:"type"` // file, dir or symlink
	Size     int64  `json:"size"`
	Mode     string `json:"mode"`  // in octal
	Mtime    string `json:"mtime"` // "" of a directory
	Content  string `json:"content"`
	Target   string `json:"target"`
	Device   string `json:"device"` // who wrote it
	Name     string `json:"name"`
	Wall     string `json:"wall"`
	Event    string `json:"event"`
	Conflict bool   `json:"conflict"` // it is a conflict copy
	Here     bool   `json:"here"`     // this disk has it so
	// As is the name that it has on this disk, which cannot hold its own.
	As string `json:"as,omitempty"`
}

var typeWords = map[zsync.FileType]string{zsync.TypeFile: "file", zsync.TypeDir: "dir", zsync.TypeSymlink: "symlink"}

// TreeLineOf turns one name of a tree into a line.
func TreeLineOf(l device.TreeLine) TreeLine {
	line := TreeLine{
		Version: 1, Folder: l.Folder, Path: string(l.Path), Type: typeWords[l.Type], Size: l.Size,
		Mode: fmt.Sprintf("%04o", l.Mode), Content: contentText(l.Content), Target: l.Target,
		Name: l.Name, Wall: wall(l.WallMS), Conflict: l.Copy, Here: l.Here, As: string(l.As),
	}
	if l.Type != zsync.TypeDir {
		line.Mtime = time.Unix(0, l.MtimeNS).UTC().Format(time.RFC3339Nano)
	}
	if l.Event != (zsync.EventID{}) { // a directory may be there only for what is in it
		line.Event, line.Device = l.Event.String(), l.Author.String()
	}
	return line
}

// Tree streams what the log of a folder has at a path and below it.
func (c *Client) Tree(ctx context.Context, folder, path string, yield func(TreeLine) error) error {
	return stream(ctx, c, pathTree+"?"+place(folder, path), yield)
}

func (s *Server) tree(w http.ResponseWriter, r *http.Request) {
	path, err := zsync.ParsePath(r.URL.Query().Get("path"))
	encoder := json.NewEncoder(w)
	if err == nil {
		err = s.device.Tree(r.URL.Query().Get("folder"), path, func(line device.TreeLine) bool {
			return encoder.Encode(TreeLineOf(line)) == nil
		})
	}
	if err != nil {
		fail(w, err, http.StatusNotFound)
	}
}

// Event is one event of a log on its way to the command line.
type Event struct {
	ID     []byte `json:"id"`
	Header []byte `json:"header"` // the encoding of the header
	Author []byte `json:"author"`
	Body   []byte `json:"body"`
	Void   bool   `json:"void"`
	Name   string `json:"name"`
}

// Events streams the log of a folder, in the total order.
func (c *Client) Events(ctx context.Context, folder string, yield func(device.LogEvent) error) error {
	return stream(ctx, c, pathEvents+"?folder="+url.QueryEscape(folder), func(line Event) error {
		ev, err := line.event()
		if err != nil {
			return err
		}
		return yield(ev)
	})
}

func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	encoder := json.NewEncoder(w)
	err := s.device.Events(r.URL.Query().Get("folder"), func(ev device.LogEvent) bool {
		return encoder.Encode(Event{ev.ID[:], wire.Marshal(&ev.Header), ev.Author[:], ev.Body, ev.Void, ev.Name}) == nil
	})
	if err != nil {
		fail(w, err, http.StatusNotFound)
	}
}

func (e Event) event() (ev device.LogEvent, err error) {
	if len(e.ID) != len(ev.ID) || len(e.Author) != len(ev.Author) {
		return ev, errors.New("the device says what is no event")
	}
	ev = device.LogEvent{Name: e.Name, Event: eventlog.Event{ID: zsync.EventID(e.ID), Author: zsync.DeviceID(e.Author), Body: e.Body, Void: e.Void}}
	err = wire.Unmarshal(e.Header, &ev.Header)
	return ev, err
}

// Shown is what `zsync show --json` prints.
type Shown struct {
	Version    int    `json:"v"`
	Event      string `json:"event"`
	Folder     string `json:"folder"` // "" is the log of the circle
	Device     string `json:"device"`
	Name       string `json:"name"`
	Writer     string `json:"writer"`
	Seq        uint64 `json:"seq"`
	Lamport    uint64 `json:"lamport"`
	Wall       string `json:"wall"`
	Kind       string `json:"kind"`
	Prev       string `json:"prev"`
	Deps       []Dep  `json:"deps"`
	Verified   bool   `json:"verified"`
	Void       bool   `json:"void"` // its author had no right to it, or its writer was cut before it
	Why        string `json:"why,omitempty"`
	Operations []Line `json:"operations"`
}

// Dep is an event that another one rests on.
type Dep struct {
	Writer string `json:"writer"`
	Seq    uint64 `json:"seq"`
	Event  string `json:"event"`
}

var kindWords = map[zsync.Kind]string{
	zsync.KindGenesis: "genesis", zsync.KindWriterOpen: "writer_open", zsync.KindMember: "member", zsync.KindKeys: "keys",
	zsync.KindFS: "fs", zsync.KindFeed: "feed", zsync.KindCheckpoint: "checkpoint", zsync.KindAck: "ack",
	zsync.KindForkProof: "fork_proof", zsync.KindFolder: "folder", zsync.KindConfirm: "confirm", zsync.KindSettings: "settings",
}

// ShownOf turns an event that was checked into a document.
func ShownOf(s device.Shown) Shown {
	out := Shown{Version: 1, Event: s.ID.String(), Folder: s.Folder, Deps: []Dep{}, Operations: []Line{}, Why: s.Damaged}
	if s.Damaged != "" {
		return out
	}
	h := &s.Header
	out.Device, out.Name, out.Writer, out.Verified, out.Void = s.Author.String(), s.Name, h.Writer.String(), true, s.Void
	out.Seq, out.Lamport, out.Wall = h.Seq, h.Lamport, wall(h.WallMS)
	if out.Kind = kindWords[h.Kind]; out.Kind == "" {
		out.Kind = fmt.Sprint(uint64(h.Kind))
	}
	if h.Prev != nil {
		out.Prev = h.Prev.String()
	}
	for _, dep := range h.Deps {
		out.Deps = append(out.Deps, Dep{dep.Writer.String(), dep.Seq, dep.ID.String()})
	}
	for _, line := range s.Lines {
		out.Operations = append(out.Operations, LineOf(line))
	}
	return out
}

// Show asks for the events whose ids begin with some digits.
func (c *Client) Show(ctx context.Context, digits string) (shown []Shown, err error) {
	err = c.ask(ctx, http.MethodGet, pathShow+"?event="+url.QueryEscape(digits), nil, &shown)
	return shown, err
}

func (s *Server) show(w http.ResponseWriter, r *http.Request) {
	all, err := s.device.Show(r.URL.Query().Get("event"))
	replyList(w, all, err, ShownOf)
}
