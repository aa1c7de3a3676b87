//go:build !linux

package zeromq

import (
	"time"

	zmq "github.com/pebbe/zmq4"
)

// nap is for systems on which the sockets can be waited for outside of C.
type nap struct{}

func newNap() (*nap, error) { return &nap{}, nil }

func (*nap) add(*zmq.Socket) error { return nil }

func (*nap) remove(*zmq.Socket) {}

func (*nap) close() {}

func (*nap) busy(time.Time) bool { return true }

func (*nap) wait(time.Duration) {}
