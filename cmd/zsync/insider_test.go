package main

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/internal/zeromq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// insider is a device of the circle that fell into the wrong hands: it has the keys
// and the log of an honest one, speaks its protocols, and says what it likes.
type insider struct {
	t     *testing.T
	keys  *security.Keys
	space zsync.SpaceID
	log   string // its log of the space, a database

	node      *zre.Node
	mailbox   *zeromq.Network
	transfer  *zeromq.Network
	turns     chan func() // what the goroutine that owns the node is to do
	peer      zre.UUID    // the victim; zero: not met
	met       chan struct{}
	conns     zre.Conn
	greet     map[zre.Conn]bool
	answer    func(conn zre.Conn, g filemq.Gimme) // what the victim asks for
	asked     int                                 // how often it did
	sessions  []zre.Conn                          // open, with the victim
	deaf      bool                                // to what comes by the transfer link
	victim    *side
	victimKey zsync.Key
}

// turned stops an honest device and takes its place, linked to the victim.
func turned(t *testing.T, s, victim *side) *insider {
	t.Helper()
	f, err := victim.folderNow()
	if err != nil {
		t.Fatal(err)
	}
	s.end()
	in := &insider{
		t: t, log: filepath.Join(s.home, "spaces", f.Space+".db"), victim: victim,
		turns: make(chan func()), met: make(chan struct{}), greet: make(map[zre.Conn]bool),
	}
	in.space = sure(zsync.ParseSpaceID(f.Space))
	in.keys = sure(security.LoadKeys(filepath.Join(s.home, "key"), nil))
	in.victimKey = sure(zsync.ParseKey(victim.key))
	in.connect(s)
	in.run()
	select {
	case <-in.met:
	case <-time.After(patience):
		t.Fatalf("the victim was not met\n%s", victim.said())
	}
	return in
}

func sure[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// connect opens sockets where the honest device had them.
func (in *insider) connect(s *side) {
	sockets := sure(zeromq.NewContext())
	sockets.SetTrusted([]zsync.Key{in.victimKey})
	uuid := zre.UUID(draw())
	_, secret := in.keys.Curve()
	cfg := zeromq.Config{Key: in.keys.Key(), Secret: secret, Bind: "tcp://" + s.listen, Multipart: true}
	in.mailbox = zeromq.NewNetwork(sure(sockets.Listen(cfg)))
	cfg.Bind, cfg.Multipart, cfg.MessageBytesMax = "tcp://"+s.transfer, false, filemq.FrameBytesMax
	in.transfer = zeromq.NewNetwork(sure(sockets.Listen(cfg)))
	_, port, err := net.SplitHostPort(s.transfer)
	if err != nil {
		in.t.Fatal(err)
	}
	in.node = zre.NewNode(zre.Config{
		UUID: uuid, Name: s.name, Endpoint: "tcp://" + s.listen, Key: in.keys.Key(),
		Headers: []zre.Header{{Name: "X-ZSYNC", Value: "1;transfer=" + port}},
	})
	in.t.Cleanup(func() { _ = sockets.Close() })
}

// run steps the node until the test ends.
func (in *insider) run() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{}, 3)
	for _, network := range []*zeromq.Network{in.mailbox, in.transfer} {
		go func() {
			_ = network.Run(ctx)
			ended <- struct{}{}
		}()
	}
	now := time.Now()
	in.node.Join(now, "zsync-"+in.space.String())
	in.node.Require(now, "tcp://"+in.victim.listen, in.victimKey)
	go func() {
		defer func() { ended <- struct{}{} }()
		for in.turn(ctx) {
		}
	}()
	in.t.Cleanup(func() {
		stop()
		for range cap(ended) {
			<-ended
		}
	})
}

func (in *insider) turn(ctx context.Context) bool {
	transferred := in.transfer.Facts()
	if in.deaf {
		transferred = nil
	}
	select {
	case <-ctx.Done():
		return false
	case facts := <-in.mailbox.Facts():
		for _, f := range facts {
			in.heard(f)
		}
	case facts := <-transferred:
		for _, f := range facts {
			in.transferred(f)
		}
	case f := <-in.turns:
		f()
	case <-time.After(50 * time.Millisecond):
	}
	in.node.Advance(time.Now())
	out := in.node.Output()
	in.mailbox.Do(device.NetOrders{Dial: out.Dial, Send: out.Send, Hangup: out.Hangup})
	for _, e := range out.Events {
		if e.Kind == zre.Enter && e.Key == in.victimKey && in.peer.IsZero() {
			in.peer = e.Peer
			close(in.met)
		}
	}
	return true
}

func (in *insider) heard(f device.NetFact) {
	switch f.Kind {
	case device.NetReceived:
		in.node.Received(time.Now(), f.Conn, zre.Origin{Key: f.Key, Address: f.Address, Identity: f.Identity}, f.Frames)
	case device.NetOpened:
		in.node.Opened(time.Now(), f.Conn)
	case device.NetClosed, device.NetBadKey:
		in.node.Closed(time.Now(), f.Conn, f.Err)
	}
}

// do has f run where the node and the sessions may be touched.
func (in *insider) do(f func()) {
	in.t.Helper()
	done := make(chan struct{})
	select {
	case in.turns <- func() { f(); close(done) }:
		<-done
	case <-time.After(patience):
		in.t.Fatal("the insider is stuck")
	}
}

// tell sends one log message.
func (in *insider) tell(kind uint8, body []byte) {
	in.node.Whisper(time.Now(), in.peer, append([]byte{1, kind}, body...))
}

// give sends events that nobody asked for.
func (in *insider) give(envelopes ...[]byte) {
	in.do(func() { in.tell(eventlog.MessageEvents, wire.Marshal(eventsMessage{in.space, envelopes, false})) })
}

type eventsMessage struct {
	Space     zsync.SpaceID `cbor:"1,keyasint"`
	Envelopes [][]byte      `cbor:"2,keyasint"`
	More      bool          `cbor:"3,keyasint"`
}

// headsMessage is read for the events in it.
type headsMessage struct {
	Space     zsync.SpaceID `cbor:"1,keyasint"`
	Frontier  [16]byte      `cbor:"2,keyasint"`
	Writers   uint64        `cbor:"3,keyasint"`
	Lamport   uint64        `cbor:"4,keyasint"`
	Envelopes [][]byte      `cbor:"5,keyasint,omitempty"`
}

// pen writes events of one of the insider's writers, in a copy of its log.
type pen struct {
	in      *insider
	store   kv.Store
	log     *eventlog.Log
	members *security.Members
	author  eventlog.Author
}

// takePen opens a copy of the log; pens with one number share a writer.
func (in *insider) takePen(writer byte) *pen {
	in.t.Helper()
	copied := filepath.Join(in.t.TempDir(), "log.db")
	data := sure(os.ReadFile(in.log))
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		in.t.Fatal(err)
	}
	p := &pen{in: in, store: sure(bolt.Open(copied))}
	in.t.Cleanup(func() { _ = p.store.Close() })
	incarnation := [16]byte{'i', writer}
	key := in.keys.WriterKey(in.space, incarnation)
	p.author = eventlog.Author{
		Device: in.keys.SignPublic(), Incarnation: incarnation, Key: key,
		Endorsement: in.keys.Sign(eventlog.EndorsementText(in.space, key.Public().(ed25519.PublicKey), incarnation)),
	}
	p.do(func(tx kv.Tx) (err error) {
		p.members = security.OpenMembers(tx)
		p.log, err = eventlog.Open(tx, in.space)
		if err == nil {
			p.log.Use(p.author)
		}
		return err
	})
	return p
}

func (p *pen) do(f func(kv.Tx) error) {
	p.in.t.Helper()
	if err := p.store.Update(f); err != nil {
		p.in.t.Fatal(err)
	}
}

// write appends an event and returns it, with the opening of its writer if that is
// new, as the insider's peers would get it.
func (p *pen) write(kind zsync.Kind, body []byte) (envelopes [][]byte) {
	p.in.t.Helper()
	p.do(func(tx kv.Tx) error {
		x := eventlog.NewExchange(p.log, p.members, p.in.keys.Device())
		x.Linked(tx, time.Now(), zsync.DeviceID{1})
		ev, err := p.log.Append(tx, kind, body, 0, p.members)
		if err != nil {
			return err
		}
		x.Appended(tx, time.Now(), []eventlog.Event{ev})
		for _, m := range x.Output().Shout {
			var heads headsMessage
			if err := wire.Unmarshal(m.Body, &heads); err != nil {
				return err
			}
			envelopes = append(envelopes, heads.Envelopes...)
		}
		return nil
	})
	return envelopes
}

// forge changes fields of an event's header and signs it again.
func (p *pen) forge(envelope []byte, change func(header map[uint64]any)) []byte {
	p.in.t.Helper()
	var e eventlog.Envelope
	var header map[uint64]any
	if err := wire.Unmarshal(envelope, &e); err != nil {
		p.in.t.Fatal(err)
	}
	if err := wire.Unmarshal(e.Header, &header); err != nil {
		p.in.t.Fatal(err)
	}
	change(header)
	e.Header = wire.Marshal(header)
	e.Sig = ed25519.Sign(p.author.Key, append([]byte("zsync/sig/1\x00"), e.Header...))
	return wire.Marshal(e)
}

// capabilities of a greeting.
var capabilities = filemq.Dictionary{
	{Key: "zsync", Value: "1"},
	{Key: "hash", Value: "sha256"},
	{Key: "comp", Value: "zstd,none"},
	{Key: "max-chunk", Value: "1048576"},
	{Key: "max-frame", Value: "1179648"},
	{Key: "max-queue", Value: "1000000"},
	{Key: "max-window", Value: fmt.Sprint(uint64(1) << 40)},
}

// open dials a transfer session.
func (in *insider) open() (conn zre.Conn) {
	in.do(func() {
		in.conns++
		conn = in.conns
		in.transfer.Do(device.NetOrders{Dial: []zre.Dial{{Conn: conn, Endpoint: "tcp://" + in.victim.transfer, Key: in.victimKey}}})
	})
	return conn
}

// stands reports whether a session is open.
func (in *insider) stands(conn zre.Conn) (open bool) {
	in.do(func() { open = slices.Contains(in.sessions, conn) })
	return open
}

func (in *insider) send(conn zre.Conn, commands ...filemq.Command) {
	var orders device.NetOrders
	for _, c := range commands {
		orders.Send = append(orders.Send, zre.Send{Conn: conn, Frames: [][]byte{filemq.Encode(c)}})
	}
	in.transfer.Do(orders)
}

// transferred takes part in a session as far as it must.
func (in *insider) transferred(f device.NetFact) {
	switch f.Kind {
	case device.NetOpened:
		in.send(f.Conn, filemq.Ohai{Protocol: "FILEMQ", Version: 2, Caps: capabilities})
	case device.NetClosed, device.NetBadKey:
		in.sessions = slices.DeleteFunc(in.sessions, func(c zre.Conn) bool { return c == f.Conn })
	case device.NetReceived:
		command, err := filemq.Decode(f.Frames[0])
		if err != nil {
			return
		}
		switch c := command.(type) {
		case filemq.Ohai:
			in.send(f.Conn, filemq.OhaiOK{Caps: capabilities})
			in.sessions = append(in.sessions, f.Conn)
		case filemq.OhaiOK:
			in.sessions = append(in.sessions, f.Conn)
		case filemq.Hugz:
			in.send(f.Conn, filemq.HugzOK{})
		case filemq.Gimme:
			in.asked++
			if in.answer != nil {
				in.answer(f.Conn, c)
			}
		}
	}
}

// eventuallyAccused waits until the victim's status names the insider for a deed.
func (in *insider) eventuallyAccused(t *testing.T, name, code string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		st, err := in.victim.status()
		if err == nil {
			for _, o := range st.Offences {
				if o.Name == name && o.Code == code && o.Count > 0 {
					return
				}
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s is not accused of %q: %+v, %v", name, code, st.Offences, err)
		}
	}
}
