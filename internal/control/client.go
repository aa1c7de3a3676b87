package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// ErrUnreachable is returned when no device runs for the home.
var ErrUnreachable = errors.New("no device is running for this home")

// answerBytesMax bounds what one answer may hold, streams apart.
const answerBytesMax = 64 << 20

// Client talks to a running device.
type Client struct{ http http.Client }

// Dial returns a client of the device behind the socket at path. Nothing is
// sent yet.
func Dial(path string) *Client {
	return &Client{http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}}
}

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (st Status, err error) {
	body, err := c.do(ctx, http.MethodGet, pathStatus, nil)
	if err != nil {
		return st, err
	}
	defer body.Close()
	return st, json.NewDecoder(io.LimitReader(body, answerBytesMax)).Decode(&st)
}

// Do gives an order and waits until it was taken.
func (c *Client) Do(ctx context.Context, order Order) error {
	data, err := json.Marshal(order)
	if err != nil {
		return err
	}
	body, err := c.do(ctx, http.MethodPost, pathOrder, data)
	if err != nil {
		return err
	}
	return body.Close()
}

// Log streams the history of a folder, or of all (""), oldest first.
func (c *Client) Log(ctx context.Context, folder string, yield func(Line) error) error {
	body, err := c.do(ctx, http.MethodGet, pathLog+"?folder="+url.QueryEscape(folder), nil)
	if err != nil {
		return err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var line Line
		if err := decoder.Decode(&line); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := yield(line); err != nil {
			return err
		}
	}
}

func (c *Client) do(ctx context.Context, method, path string, data []byte) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, method, "http://zsync"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(request)
	var refused *net.OpError
	if errors.As(err, &refused) && refused.Op == "dial" {
		return nil, ErrUnreachable
	}
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(response.Body, orderBytesMax))
		return nil, errors.Join(fmt.Errorf("%s", strings.TrimSpace(string(text))), response.Body.Close())
	}
	return response.Body, nil
}
