package zeromq

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// Run owns the link's sockets until ctx ends: it carries out orders and tells
// facts. What was ordered before ctx ended is still carried out and given
// 200 ms to leave. It returns nil unless ZeroMQ fails.
func (l *Link) Run(ctx context.Context) error {
	if !l.inbox.begin() {
		return errors.New("zeromq: a link runs once")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	running, cancel := context.WithCancel(ctx)
	l.running = running
	defer context.AfterFunc(ctx, func() { l.post(func() {}) })()

	err := l.loop(ctx)
	cancel()
	l.carryOut()
	return errors.Join(err, l.shut())
}

func (l *Link) loop(ctx context.Context) error {
	for ctx.Err() == nil {
		l.carryOut()
		if l.deliver(ctx); ctx.Err() != nil {
			break
		}
		if err := l.readReady(); err != nil {
			return fmt.Errorf("zeromq: %w", err)
		}
		l.timers.fire() // after reading: what waits to be read is not silence
	}
	return nil
}

// deliver hands over what happened. While nobody takes it, orders are still
// carried out, and what peers send waits in their sockets.
func (l *Link) deliver(ctx context.Context) {
	if len(l.out.facts) == 0 {
		return
	}
	look := time.NewTicker(acceptedEvery)
	defer look.Stop()
	for len(l.out.facts) > 0 {
		select {
		case <-look.C:
			l.in.look()
		case l.facts <- l.out.facts:
			l.out.facts = nil
		case <-l.inbox.attention:
			l.carryOut()
		case <-ctx.Done():
			return
		}
	}
}

// carryOut does what was left in the inbox.
func (l *Link) carryOut() {
	l.lent.sweep()
	d := l.inbox.take()
	for _, call := range d.calls {
		call()
	}
	for _, o := range d.orders {
		for _, dial := range o.Dial {
			l.dial(dial)
		}
		l.sendAll(o.Send)
		for _, conn := range o.Hangup {
			l.hangup(conn)
		}
	}
	for _, conn := range d.overfull {
		l.fail(conn, ErrFull)
	}
}

// sendAll counts what it hands over, whether or not the connection takes it.
func (l *Link) sendAll(sends []Send) {
	if len(sends) == 0 {
		return
	}
	began := time.Now()
	var frames, octets int64
	for _, s := range sends {
		for _, frame := range s.Frames {
			frames, octets = frames+1, octets+int64(len(frame))
		}
		l.send(s)
	}
	l.cfg.Out.Add(frames, octets, time.Since(began))
}

func (l *Link) send(s Send) {
	if len(s.Frames) == 0 || len(s.Frames) > l.cfg.framesMax() {
		panic(fmt.Sprintf("zeromq: message of %d frames", len(s.Frames)))
	}
	for _, frame := range s.Frames {
		if len(frame) > l.cfg.MessageBytesMax {
			l.fail(s.Conn, ErrTooBig)
			return
		}
	}
	if d := l.dialled[s.Conn]; d != nil {
		d.send(s)
	} else if c := l.in.conns[s.Conn]; c != nil {
		l.in.send(c, s)
	}
}

func (l *Link) hangup(conn uint64) {
	if d := l.dialled[conn]; d != nil {
		d.hangup()
	} else if c := l.in.conns[conn]; c != nil {
		l.in.hangup(c)
	}
}

func (l *Link) fail(conn uint64, why error) {
	if d := l.dialled[conn]; d != nil {
		d.fail(why)
	} else if c := l.in.conns[conn]; c != nil {
		l.in.fail(c, why)
	}
}

// dropUntrusted closes the connections of keys that lost their trust. Who dials
// a key that the door has never heard of trusts it.
func (l *Link) dropUntrusted() {
	if l.cfg.plain() {
		return
	}
	t := l.context.door.trust.Load()
	l.in.takeArrivals()
	l.in.dropUntrusted()
	for _, number := range slices.Sorted(maps.Keys(l.dialled)) {
		d := l.dialled[number]
		trusted := t.judge(l, d.key) == admit
		if t.revoked[d.key] || d.trusted && !trusted {
			d.fail(ErrUntrusted)
			continue
		}
		d.trusted = trusted
	}
}

// trusts reports whether the door lets key in now.
func (l *Link) trusts(key zsync.Key) bool {
	return l.cfg.plain() || l.context.door.trust.Load().judge(l, key) == admit
}

// readReady waits until there is something to do and reads every socket that
// has something, a bounded amount each.
func (l *Link) readReady() error {
	wait := l.timers.wait()
	if len(l.in.ending) > 0 {
		wait = 0
	}
	ready, err := l.poll(wait)
	if err != nil {
		return err
	}
	listening := len(l.in.ending) > 0
	for _, r := range ready {
		switch r.Socket {
		case l.wake:
			l.hush()
		case l.in.socket, l.in.monitor:
			listening = true
		default:
			// Both sockets of a connection may be ready; the first read may close it.
			if d := l.bySocket[r.Socket]; d != nil {
				if err := d.read(); err != nil {
					return err
				}
			}
		}
	}
	if listening {
		return l.in.read()
	}
	return nil
}

// poll waits for sockets to be readable, so long at most, where that is not negative.
func (l *Link) poll(wait time.Duration) ([]zmq.Polled, error) {
	if wait == 0 || l.nap.busy(time.Now()) {
		return l.poller.Poll(wait)
	}
	ready, err := l.poller.Poll(0)
	if err != nil || len(ready) > 0 {
		return ready, err
	}
	l.nap.wait(wait)
	return l.poller.Poll(0)
}

// hush takes the octets that woke the loop.
func (l *Link) hush() {
	for {
		if _, err := l.wake.RecvBytes(zmq.DONTWAIT); err != nil {
			return
		}
	}
}

// batch is what was read from one socket in one go; all says that nothing was
// left.
type batch struct {
	messages []message
	all      bool
}

func (l *Link) batch(s *zmq.Socket, origin bool) (batch, error) {
	began := time.Now()
	b, err := l.readBatch(s, origin)
	if len(b.messages) > 0 {
		frames, octets := b.sum()
		l.cfg.In.Add(frames, octets, time.Since(began))
	}
	return b, err
}

// sum returns how many frames there are, and their octets.
func (b *batch) sum() (frames, octets int64) {
	for _, m := range b.messages {
		frames += int64(len(m.frames))
		octets += int64(m.bytes)
	}
	return frames, octets
}

func (l *Link) readBatch(s *zmq.Socket, origin bool) (batch, error) {
	var b batch
	for bytes := 0; len(b.messages) < roundMessagesMax && bytes < roundBytesMax; {
		m, err := receive(l.reader, s, origin, &l.cfg)
		if again(err) {
			b.all = true
			break
		}
		if err != nil {
			return b, err
		}
		b.messages = append(b.messages, m)
		bytes += m.bytes
	}
	return b, nil
}

func (l *Link) recycle(m message) {
	for _, frame := range m.frames {
		l.pool.put(frame)
	}
}

// write sends the rest of a message without waiting.
func (l *Link) write(s *zmq.Socket, m Send) error {
	if l.lent.takes(m) {
		l.sweepSoon()
		return l.lent.send(s, m)
	}
	for i, frame := range m.Frames {
		flags := zmq.DONTWAIT
		if i < len(m.Frames)-1 {
			flags |= zmq.SNDMORE
		}
		if _, err := s.SendBytes(frame, flags); err != nil {
			return err
		}
	}
	if m.Done != nil {
		m.Done()
	}
	return nil
}

// sweepSoon has frames that are lent given back also when nothing else happens.
func (l *Link) sweepSoon() {
	if !l.sweeping {
		l.sweeping = true
		l.timers.after(lentEvery, func() {
			if l.sweeping = false; l.lent.sweep() {
				l.sweepSoon()
			}
		})
	}
}

// shut closes everything, and waits for the goroutines that were started.
func (l *Link) shut() error {
	for _, number := range slices.Sorted(maps.Keys(l.dialled)) {
		l.dialled[number].hangup()
	}
	err := l.closeSockets()
	l.helpers.Wait()
	l.context.unregister(l)
	close(l.facts)
	return err
}
