package control

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
)

// growing is a device whose log grows while it is followed.
type growing struct {
	fake
	mutex sync.Mutex
}

func (g *growing) Snapshot() (device.Snapshot, error) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return device.Snapshot{Folders: []device.FolderStatus{{Label: "Photos", Frontier: [16]byte{byte(len(g.history))}}}}, nil
}

func (g *growing) History(folder string, yield func(device.HistoryLine) bool) error {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	return g.fake.History(folder, yield)
}

// take puts an event with operations on the given paths into the log at a place.
func (g *growing) take(at int, event byte, paths ...string) {
	g.mutex.Lock()
	defer g.mutex.Unlock()
	var lines []device.HistoryLine
	for _, path := range paths {
		lines = append(lines, device.HistoryLine{Event: zsync.EventID{event}, Path: path})
	}
	g.history = append(g.history[:at:at], append(lines, g.history[at:]...)...)
}

// following runs a server for g; stop ends it, and ended tells that it has.
func following(t *testing.T, g *growing) (client *Client, stop func(), ended chan error) {
	dir, err := os.MkdirTemp("", "z")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	server, err := Listen(filepath.Join(dir, "control"), g, Self{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()
	return Dial(filepath.Join(dir, "control")), stop, ended
}

func TestALogThatIsFollowedShowsEachEventOnceAndEndsWithTheDevice(t *testing.T) {
	g := &growing{}
	g.take(0, 1, "a", "b")
	g.take(2, 2, "c")
	client, stop, ended := following(t, g)
	var got []string
	err := client.Follow(t.Context(), "Photos", func(line Line) error {
		got = append(got, line.Path)
		switch line.Path {
		case "c":
			g.take(0, 3, "late", "later") // an older event that came from afar
		case "later":
			g.take(5, 4, "d")
		case "d":
			stop()
		}
		return nil
	})
	if want := []string{"a", "b", "c", "late", "later", "d"}; err != nil || !cmp.Equal(got, want) {
		t.Errorf("%v, %v", got, err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWhoFollowsALogMayLeaveAtAnyTime(t *testing.T) {
	g := &growing{}
	g.take(0, 1, "a")
	client, stop, ended := following(t, g)
	enough := errors.New("enough")
	if err := client.Follow(t.Context(), "", func(Line) error { return enough }); !errors.Is(err, enough) {
		t.Error(err)
	}
	if err := client.Follow(t.Context(), "none", func(Line) error { return nil }); err == nil || err.Error() != `this device keeps no folder "none"` {
		t.Errorf("unknown folder: %v", err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := client.Follow(t.Context(), "", nil); !errors.Is(err, ErrUnreachable) {
		t.Errorf("nobody is there: %v", err)
	}
}

func TestAFolderThatIsBusyIsNotSaidToBeUnknown(t *testing.T) {
	why := "the folder \"Photos\" has been busy for 10s"
	d := &fake{snapshot: device.Snapshot{Halted: []device.Halted{{Registration: device.Registration{Label: "Photos"}, Why: why}}}}
	for label, want := range map[string]string{"": "", "Photos": why, "Music": "this device keeps no folder \"Music\""} {
		if got := (&follower{device: d}).lacks(label); got != want {
			t.Errorf("%q: %q, want %q", label, got, want)
		}
	}
}
