package control

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

const (
	pathConflicts = "/v1/conflicts"
	pathKeep      = "/v1/conflicts/keep"
)

// Conflict is what `zsync conflicts ls --json` prints for one file: the version
// that has the name, and the copies beside it, the newest first.
type Conflict struct {
	Number int    `json:"v"`
	Folder string `json:"folder"`
	ConflictVersion
	Copies []ConflictVersion `json:"copies"`
}

// ConflictVersion is one version of a file, and who wrote it when.
type ConflictVersion struct {
	Path    string `json:"path"`
	Device  string `json:"device"`
	Name    string `json:"name"`
	Wall    string `json:"wall"`
	Size    int64  `json:"size"`
	Content string `json:"content"`
	Event   string `json:"event"`
	Here    bool   `json:"here"` // this disk has it
}

// ConflictOf turns what clashed into a line.
func ConflictOf(c device.Conflict) Conflict {
	out := Conflict{Number: 1, Folder: c.Folder, ConflictVersion: conflictVersion(c.Versions[0]), Copies: []ConflictVersion{}}
	for _, v := range c.Versions[1:] {
		out.Copies = append(out.Copies, conflictVersion(v))
	}
	return out
}

func conflictVersion(v device.ConflictVersion) ConflictVersion {
	return ConflictVersion{
		Path: string(v.Path), Device: v.Author.String(), Name: v.Name, Wall: wall(v.WallMS),
		Size: v.Size, Content: contentText(v.Content), Event: v.Event.String(), Here: v.Here,
	}
}

func wall(ms uint64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(int64(ms)).UTC().Format(time.RFC3339)
}

func contentText(content zsync.Digest) string {
	if content.IsZero() {
		return ""
	}
	return content.String()
}

// Keep settles conflicts: Which is mine, theirs, both, or "" for the version at
// each path.
type Keep struct {
	Folder string   `json:"folder"`
	Which  string   `json:"which"`
	Paths  []string `json:"paths"`
}

// Kept says how many were settled. Refused is why none or no more were; Choice:
// because more than one version fits what was said.
type Kept struct {
	Version int    `json:"v"`
	Settled int    `json:"settled"`
	Refused string `json:"refused,omitempty"`
	Choice  bool   `json:"choice,omitempty"`
}

// Conflicts asks what clashed in a folder, or in all ("").
func (c *Client) Conflicts(ctx context.Context, folder string) (all []Conflict, err error) {
	err = c.ask(ctx, http.MethodGet, pathConflicts+"?folder="+url.QueryEscape(folder), nil, &all)
	return all, err
}

// Keep settles conflicts.
func (c *Client) Keep(ctx context.Context, keep Keep) (kept Kept, err error) {
	err = c.ask(ctx, http.MethodPost, pathKeep, keep, &kept)
	return kept, err
}

func (s *Server) conflicts(w http.ResponseWriter, r *http.Request) {
	all, err := s.device.Conflicts(r.URL.Query().Get("folder"))
	replyList(w, all, err, ConflictOf)
}

func (s *Server) keep(w http.ResponseWriter, r *http.Request) {
	var keep Keep
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, keepBytesMax)).Decode(&keep)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	order, err := keep.order()
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	kept := Kept{Version: 1}
	if kept.Settled, err = s.device.Keep(keep.Folder, order); err != nil {
		kept.Refused, kept.Choice = err.Error(), errors.Is(err, device.ErrChoice)
	}
	reply(w, kept)
}

// keepBytesMax is more than a command line holds.
const keepBytesMax = 4 << 20

// order parses what a person chose.
func (k *Keep) order() (order device.KeepVersions, err error) {
	words := []string{"", device.KeepMine, device.KeepTheirs, device.KeepBoth}
	if !slices.Contains(words, k.Which) || len(k.Paths) == 0 {
		return order, errors.New("say which version to keep, and of what")
	}
	order.Which = k.Which
	for _, text := range k.Paths {
		path, wrong := zsync.ParsePath(text)
		err = errors.Join(err, wrong)
		order.Paths = append(order.Paths, path)
	}
	return order, err
}
