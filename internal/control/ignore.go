package control

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

const pathIgnore = "/v1/ignore"

// IgnoreOrder changes the patterns of a folder, for all devices or for this one.
type IgnoreOrder struct {
	Folder string   `json:"folder"`
	Add    []string `json:"add,omitempty"`
	Remove []string `json:"remove,omitempty"`
	Local  bool     `json:"local,omitempty"`
}

// Pattern is one line of `zsync folders ignore LABEL --json`. From is default, folder
// or local.
type Pattern struct {
	Version int    `json:"v"`
	Pattern string `json:"pattern"`
	From    string `json:"from"`
}

// Ignore changes the patterns of a folder.
func (c *Client) Ignore(ctx context.Context, order IgnoreOrder) error {
	return c.ask(ctx, http.MethodPost, pathIgnore, order, &struct{}{})
}

// Ignored returns the patterns in force in a folder, in their order.
func (c *Client) Ignored(ctx context.Context, folder string) (patterns []Pattern, err error) {
	err = c.ask(ctx, http.MethodGet, pathIgnore+"?folder="+url.QueryEscape(folder), nil, &patterns)
	return patterns, err
}

func (s *Server) ignore(w http.ResponseWriter, r *http.Request) {
	var order IgnoreOrder
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, orderBytesMax)).Decode(&order); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	label, err := device.ParseLabel(order.Folder)
	if err == nil {
		err = s.device.Ignore(device.Ignore{Label: label, Add: order.Add, Remove: order.Remove, Here: order.Local})
	}
	if err != nil {
		fail(w, err, http.StatusConflict)
		return
	}
	reply(w, struct{}{})
}

func (s *Server) ignored(w http.ResponseWriter, r *http.Request) {
	label, err := device.ParseLabel(r.URL.Query().Get("folder"))
	var rules []replica.IgnoreRule
	if err == nil {
		rules, err = s.device.Ignored(label)
	}
	from := map[replica.IgnoreSource]string{
		replica.IgnoreDefault: "default", replica.IgnoreFolder: "folder", replica.IgnoreHere: "local",
	}
	replyList(w, rules, err, func(rule replica.IgnoreRule) Pattern { return Pattern{1, rule.Pattern, from[rule.Source]} })
}
