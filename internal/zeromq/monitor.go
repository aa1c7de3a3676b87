package zeromq

import (
	"fmt"

	zmq "github.com/pebbe/zmq4"
)

// event is what a socket monitor told: see doc.go for which events mean what.
type event struct {
	kind  zmq.Event
	value int // a descriptor, an errno or a ZAP status, depending on the kind
}

// watch returns a socket that receives the events of s. The thread that reports
// them waits for room where there is none, and it is the one that moves all
// data: so there is always room.
func (l *Link) watch(s *zmq.Socket, events zmq.Event) (*zmq.Socket, error) {
	l.watched++
	endpoint := fmt.Sprintf("inproc://monitor-%s-%d", l.name, l.watched)
	if err := s.Monitor(endpoint, events); err != nil {
		return nil, fmt.Errorf("zeromq: monitor: %w", err)
	}
	reader, err := l.context.zmq.NewSocket(zmq.PAIR)
	if err != nil {
		return nil, fmt.Errorf("zeromq: monitor: %w", err)
	}
	for _, err := range []error{reader.SetRcvhwm(0), reader.SetLinger(0), reader.Connect(endpoint)} {
		if err != nil {
			_ = reader.Close()
			return nil, fmt.Errorf("zeromq: monitor: %w", err)
		}
	}
	return reader, nil
}

// unwatch ends what watch began. The reader goes last, for the same reason.
func unwatch(s, reader *zmq.Socket) {
	_ = s.Monitor("", 0)
	_ = reader.Close()
}

// events takes all that the monitor has told by now.
func events(reader *zmq.Socket) []event {
	var told []event
	for {
		kind, _, value, err := reader.RecvEvent(zmq.DONTWAIT)
		if err != nil {
			return told
		}
		told = append(told, event{kind, value})
	}
}
