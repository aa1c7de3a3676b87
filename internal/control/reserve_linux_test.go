package control

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// full opens files until this process may open no more.
func full(t *testing.T) {
	t.Helper()
	var before unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
		t.Fatal(err)
	}
	few := before
	few.Cur = 128
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	var opened []*os.File
	t.Cleanup(func() {
		for _, file := range opened {
			_ = file.Close()
		}
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &before); err != nil {
			t.Error(err)
		}
	})
	for {
		file, err := os.Open(os.DevNull)
		if errors.Is(err, syscall.EMFILE) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		opened = append(opened, file)
	}
}

func TestADeviceThatMayOpenNoMoreFilesStillTellsItsStatus(t *testing.T) {
	_, path := serving(t, &fake{})
	for range 2 * reserveMax { // what is kept back is got back
		socket := newSocket(t)
		t.Run("", func(t *testing.T) {
			full(t)
			wantStatus(t, socket, path)
		})
		wantStatus(t, newSocket(t), path) // there is room
	}
}

func newSocket(t *testing.T) (socket int) {
	t.Helper()
	socket, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(socket) })
	return socket
}

// wantStatus asks for the status over a socket.
func wantStatus(t *testing.T, socket int, path string) {
	t.Helper()
	wait := unix.NsecToTimeval(int64(takenTime))
	err := errors.Join(unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait),
		unix.Connect(socket, &unix.SockaddrUnix{Name: path}))
	if err == nil {
		_, err = unix.Write(socket, []byte("GET /v1/status HTTP/1.1\r\nHost: zsync\r\nConnection: close\r\n\r\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	var answer []byte
	for part := make([]byte, 4096); ; {
		n, err := unix.Read(socket, part)
		if n <= 0 || err != nil {
			break
		}
		answer = append(answer, part[:n]...)
	}
	if !strings.HasPrefix(string(answer), "HTTP/1.1 102 ") || !strings.Contains(string(answer), `"running":true`) {
		t.Errorf("it answers %q", answer)
	}
}
