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
	"time"
)

// ErrUnreachable is returned when no device runs for the home.
var ErrUnreachable = errors.New("no device is running for this home")

// answerBytesMax bounds what one answer may hold, streams apart.
const answerBytesMax = 64 << 20

// Client talks to a running device.
type Client struct {
	http     http.Client
	patience time.Duration // until a request is taken
}

// Dial returns a client of the device behind the socket at path. Nothing is
// sent yet.
func Dial(path string) *Client {
	return &Client{patience: takenTime, http: http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", path)
		},
		DisableKeepAlives: true,
	}}}
}

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (st Status, err error) {
	err = c.ask(ctx, http.MethodGet, pathStatus, nil, &st)
	return st, err
}

// Do gives an order and waits until it was taken.
func (c *Client) Do(ctx context.Context, order Order) error {
	return c.ask(ctx, http.MethodPost, pathOrder, order, &struct{}{})
}

// Log streams the history of a folder, or of all (""), oldest first.
func (c *Client) Log(ctx context.Context, folder string, yield func(Line) error) error {
	return stream(ctx, c, pathLog+"?folder="+url.QueryEscape(folder), yield)
}

// ask sends a document, if there is one, and reads the one that answers it.
func (c *Client) ask(ctx context.Context, method, path string, what, answer any) error {
	var data []byte
	if what != nil {
		var err error
		if data, err = json.Marshal(what); err != nil {
			return err
		}
	}
	body, err := c.do(ctx, method, path, data)
	if err != nil {
		return err
	}
	defer body.Close()
	return json.NewDecoder(io.LimitReader(body, answerBytesMax)).Decode(answer)
}

// stream yields one value a line.
func stream[T any](ctx context.Context, c *Client, path string, yield func(T) error) error {
	body, err := c.do(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	defer body.Close()
	decoder := json.NewDecoder(body)
	for {
		var one T
		if err := decoder.Decode(&one); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		if err := yield(one); err != nil {
			return err
		}
	}
}

func (c *Client) do(ctx context.Context, method, path string, data []byte) (io.ReadCloser, error) {
	watched, end := untilTaken(ctx, c.patience)
	body, err := c.send(watched, method, path, data)
	if err != nil {
		silent := context.Cause(watched) == ErrSilent
		end()
		if silent {
			err = ErrSilent
		}
		return nil, err
	}
	return answer{body, end}, nil
}

// send sends a request and returns the body that answers it, or what was wrong.
func (c *Client) send(ctx context.Context, method, path string, data []byte) (io.ReadCloser, error) {
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
