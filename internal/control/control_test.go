package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/replica"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a device that notes what it is asked.
type fake struct {
	snapshot device.Snapshot
	history  []device.HistoryLine
	orders   []any
	refuse   error
	rules    []replica.IgnoreRule
	busy     error
}

func (f *fake) Ignored(device.Label) ([]replica.IgnoreRule, error) { return f.rules, f.refuse }

func (f *fake) Ignore(order device.Ignore) error { return f.Do(order) }

func (f *fake) Snapshot() (device.Snapshot, error) { return f.snapshot, f.busy }

func (f *fake) Do(order any) error {
	f.orders = append(f.orders, order)
	return f.refuse
}

func (f *fake) History(folder string, yield func(device.HistoryLine) bool) error {
	if folder == "none" {
		return errors.New("no such folder")
	}
	for _, line := range f.history {
		if !yield(line) {
			return nil
		}
	}
	return nil
}

// serving runs a server for f until the test ends.
func serving(t *testing.T, f *fake) (*Client, string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "control")
	server, err := Listen(path, f, Self{Key: "zs1self", Name: "old"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := errors.Join(<-ended, os.RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return Dial(path), path
}

func keyOf(first byte) zsync.Key { return zsync.Key{first} }

func TestAnOrderReachesTheDeviceAndItsRefusalThePerson(t *testing.T) {
	f := &fake{}
	client, _ := serving(t, f)
	key := keyOf(7)
	for _, order := range []Order{
		{Watch: &Folder{Label: "Photos", Path: "/p", Role: "sync"}},
		{Unwatch: "Photos"},
		{Serve: "/srv"},
		{Pair: &Dialed{Key: key.String(), Address: "h:1"}},
		{Peer: &Dialed{Address: "h:2"}},
		{Ask: true},
	} {
		if err := client.Do(t.Context(), order); err != nil {
			t.Error(err)
		}
	}
	want := []any{
		device.Watch{Registration: device.Registration{Label: "Photos", Dir: "/p", Role: "sync"}},
		device.Unwatch{Label: "Photos"},
		device.ServeAll{Dir: "/srv"},
		device.Pair{Key: key, Address: "h:1"},
		device.Peer{Address: "h:2"},
		device.AskProgress{},
	}
	if got := fmt.Sprint(f.orders); got != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	f.refuse = errors.New("the label is taken")
	if err := client.Do(t.Context(), Order{Serve: "/x"}); err == nil || err.Error() != "the label is taken" {
		t.Errorf("refusal: %v", err)
	}
}

func TestAnOrderThatMakesNoSenseIsRefused(t *testing.T) {
	f := &fake{}
	client, _ := serving(t, f)
	for _, order := range []Order{
		{Pair: &Dialed{Key: "zs1nokey"}},
		{Peer: &Dialed{Key: "zs1nokey", Address: "h:1"}},
		{Serve: strings.Repeat("x", orderBytesMax)},
		{Serve: "relative"},
		{Unwatch: "a/b"},
		{Unwatch: "Bjo\u0308rk"},
		{Watch: &Folder{Label: "", Path: "/p"}},
		{Watch: &Folder{Label: "a\x1b[31m", Path: "/p"}},
		{Watch: &Folder{Label: "Bjo\u0308rk", Path: "/p"}},
		{Watch: &Folder{Label: "Photos", Path: "p"}},
		{Watch: &Folder{Label: "Photos", Path: "/p", Role: "king"}},
	} {
		if err := client.Do(t.Context(), order); err == nil {
			t.Errorf("taken: %.80v", order)
		}
	}
	if len(f.orders) > 0 {
		t.Errorf("the device was given %v", f.orders)
	}
	if err := client.Do(t.Context(), Order{}); err != nil {
		t.Errorf("nothing to do: %v", err) // daemon hands over no order
	}
}

func TestTheSocketIsTheOwnersAloneAndReplacesADeadOne(t *testing.T) {
	_, path := serving(t, &fake{})
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != socketMode {
		t.Errorf("%v, %v", info, err)
	}
	dead := path + "2"
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	listener.SetUnlinkOnClose(false)
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Dial(dead).Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Errorf("a socket that nobody serves: %v", err)
	}
	server, err := Listen(dead, &fake{}, Self{})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.listener.Close(); err != nil {
		t.Error(err)
	}
}

func TestNobodyIsThere(t *testing.T) {
	if _, err := Dial("/nowhere/control").Status(t.Context()); !errors.Is(err, ErrUnreachable) {
		t.Error(err)
	}
	if _, err := Listen("/"+strings.Repeat("x", socketPathMax), &fake{}, Self{}); !errors.Is(err, ErrPathTooLong) {
		t.Error(err)
	}
}

func TestTheHistoryIsStreamedAndAnErrorIsNoLine(t *testing.T) {
	f := &fake{}
	for i := range 1000 {
		f.history = append(f.history, device.HistoryLine{Seq: uint64(i), Path: "a\x1bb"})
	}
	client, _ := serving(t, f)
	var seen uint64
	err := client.Log(t.Context(), "", func(line Line) error {
		if line.Seq != seen || line.Path != "a\x1bb" || line.Version != 1 {
			t.Fatalf("line %d: %+v", seen, line)
		}
		seen++
		return nil
	})
	if err != nil || seen != 1000 {
		t.Errorf("%d lines, %v", seen, err)
	}
	if err := client.Log(t.Context(), "none", func(Line) error { t.Error("a line"); return nil }); err == nil || err.Error() != "no such folder" {
		t.Errorf("unknown folder: %v", err)
	}
}
