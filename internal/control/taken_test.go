package control

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zsync/zsync/internal/device"
)

func TestADeviceThatTakesNoRequestIsGivenUpWithASentence(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control")
	listener, err := net.Listen("unix", path) // as that of a process that was stopped
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client := Dial(path)
	client.patience = time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // what it waited before
	defer cancel()
	if _, err := client.Status(ctx); !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
	if err := client.Do(ctx, Order{Ask: true}); !errors.Is(err, ErrSilent) {
		t.Error(err)
	}
}

func TestADeviceThatHasTakenARequestIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		waits, end := untilTaken(t.Context(), takenTime)
		defer end()
		time.Sleep(takenTime - 1)
		if err := httptrace.ContextClientTrace(waits).Got1xxResponse(http.StatusProcessing, nil); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Hour)
		if waits.Err() != nil {
			t.Error(context.Cause(waits))
		}
	})
}

func TestThatAPartOfTheDeviceIsBusyIsSaidAndNotTakenForARefusal(t *testing.T) {
	busy := &device.Busy{Part: "this device", Waits: 10 * time.Second}
	client, _ := serving(t, &fake{busy: busy, refuse: busy})
	if _, err := client.Status(t.Context()); err == nil || !strings.HasPrefix(err.Error(), "this device has been busy for 10s") {
		t.Error(err)
	}
	if err := client.Do(t.Context(), Order{Ask: true}); err == nil || !strings.HasPrefix(err.Error(), "this device has been busy for 10s") {
		t.Error(err)
	}
}
