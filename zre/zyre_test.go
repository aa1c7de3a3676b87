package zre

import (
	"cmp"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// zyre behaves as C Zyre 2.0.1 does, its flaws included, as far as a peer can
// tell: it only writes to what it dialled and only reads from its ROUTER, its
// sockets reconnect silently, and it expels whoever lost a frame.
type zyre struct {
	t        failer
	self     UUID
	key      zsync.Key
	endpoint string
	name     string
	groups   []string
	status   uint8
	peers    []*zyrePeer // ascending by UUID; zero ones are required and not known yet
	lastConn Conn
	tickAt   time.Time
	out      Output
}

type zyrePeer struct {
	uuid     UUID
	key      zsync.Key
	endpoint string
	conn     Conn
	open     bool
	waiting  [][][]byte // a DEALER keeps what it cannot send yet
	ready    bool
	sent     uint16
	want     uint16
	status   uint8
	groups   []string
	heardAt  time.Time
}

func (z *zyre) Output() Output {
	out := z.out
	z.out = Output{}
	return out
}

func (z *zyre) Require(now time.Time, endpoint string, key zsync.Key) {
	// zyre_require_peer is told the UUID; here it follows from the endpoint.
	z.create(now, UUID{'A' + endpoint[len("tcp://10.0.0.")] - '1', 15: 1}, endpoint, key)
}

func (z *zyre) create(now time.Time, uuid UUID, endpoint string, key zsync.Key) *zyrePeer {
	p := &zyrePeer{uuid: uuid, endpoint: endpoint, key: key, heardAt: now}
	z.peers = append(z.peers, p)
	slices.SortFunc(z.peers, func(a, b *zyrePeer) int { return a.uuid.Compare(b.uuid) })
	z.dial(p)
	z.send(p, Command{
		ID: CommandHello, Endpoint: z.endpoint, Groups: z.groups, Status: z.status, Name: z.name, Headers: z.headers(),
	})
	z.tickAt = cmp.Or(z.tickAt, now.Add(time.Second))
	return p
}

func (z *zyre) headers() []Header {
	if z.key.IsZero() {
		return nil
	}
	return []Header{{headerKey, z85(z.key)}}
}

func (z *zyre) dial(p *zyrePeer) {
	z.lastConn++
	p.conn, p.open = z.lastConn, false
	z.out.Dial = append(z.out.Dial, Dial{Conn: p.conn, Endpoint: p.endpoint, Key: p.key, Identity: z.self.identity()})
}

func (z *zyre) send(p *zyrePeer, c Command) {
	p.sent++
	c.Sequence = p.sent
	if !p.open {
		p.waiting = append(p.waiting, c.Frames())
		return
	}
	z.out.Send = append(z.out.Send, Send{Conn: p.conn, Frames: c.Frames()})
}

func (z *zyre) Opened(now time.Time, c Conn) {
	for _, p := range z.peers {
		if p.conn == c {
			p.open = true
			for _, frames := range p.waiting {
				z.out.Send = append(z.out.Send, Send{Conn: c, Frames: frames})
			}
			p.waiting = nil
		}
	}
}

// Closed reconnects, as libzmq does; the peer object never learns of it. (libzmq
// waits 100 ms; here it is at the next tick.)
func (z *zyre) Closed(now time.Time, c Conn, why error) {
	for _, p := range z.peers {
		if p.conn == c {
			p.conn, p.open = 0, false
		}
	}
}

func (z *zyre) remove(p *zyrePeer) {
	z.out.Hangup = append(z.out.Hangup, p.conn)
	z.tell(p, Event{Kind: Exit})
	z.peers = slices.DeleteFunc(z.peers, func(o *zyrePeer) bool { return o == p })
}

func (z *zyre) tell(p *zyrePeer, e Event) {
	e.Peer = p.uuid
	z.out.Events = append(z.out.Events, e)
}

func (z *zyre) peer(uuid UUID) *zyrePeer {
	for _, p := range z.peers {
		if p.uuid == uuid {
			return p
		}
	}
	return nil
}

func (z *zyre) Received(now time.Time, c Conn, from Origin, frames [][]byte) {
	uuid, incoming := parseIdentity(from.Identity)
	message, err := ParseCommand(frames)
	if !incoming || err != nil {
		return // it does not read DEALERs
	}
	p := z.peer(uuid)
	if message.ID == CommandHello {
		p = z.greeted(now, p, uuid, from, message)
	}
	if p == nil || !p.ready {
		return
	}
	p.want++
	if message.ID == CommandHello {
		p.want = 1
	}
	if message.Sequence != p.want {
		z.remove(p)
		return
	}
	z.obey(p, message)
	p.heardAt = now
}

func (z *zyre) greeted(now time.Time, p *zyrePeer, uuid UUID, from Origin, hello Command) *zyrePeer {
	if p != nil && p.ready {
		z.remove(p)
		p = nil
	}
	if p == nil {
		p = z.create(now, uuid, hello.Endpoint, from.Key)
	}
	p.ready = true
	return p
}

func (z *zyre) obey(p *zyrePeer, c Command) {
	switch c.ID {
	case CommandHello:
		z.tell(p, Event{Kind: Enter})
		p.groups, p.status = c.Groups, c.Status
		for _, group := range c.Groups {
			z.tell(p, Event{Kind: Join, Group: group})
		}
	case CommandWhisper, CommandShout:
		if len(c.Content) == 0 {
			z.t.Fatalf("Zyre's event stream goes out of step")
		}
		z.tell(p, Event{Kind: map[CommandID]EventKind{CommandWhisper: Whisper, CommandShout: Shout}[c.ID], Group: c.Group, Content: c.Content[0]})
	case CommandJoin, CommandLeave:
		z.regrouped(p, c)
	case CommandPing:
		z.send(p, Command{ID: CommandPingOK})
	}
}

func (z *zyre) regrouped(p *zyrePeer, c Command) {
	p.status++
	if p.status != c.Status {
		z.t.Fatalf("Zyre aborts: status %d, it expects %d", c.Status, p.status)
	}
	if c.ID == CommandJoin {
		p.groups = append(p.groups, c.Group)
		z.tell(p, Event{Kind: Join, Group: c.Group})
		return
	}
	p.groups = slices.DeleteFunc(p.groups, func(group string) bool { return group == c.Group })
	z.tell(p, Event{Kind: Leave, Group: c.Group})
}

func (z *zyre) Join(now time.Time, group string) bool {
	if slices.Contains(z.groups, group) {
		return true
	}
	z.groups = append(z.groups, group)
	z.changed(Command{ID: CommandJoin, Group: group})
	return true
}

func (z *zyre) Leave(now time.Time, group string) {
	if !slices.Contains(z.groups, group) {
		return
	}
	z.groups = slices.DeleteFunc(slices.Clone(z.groups), func(o string) bool { return group == o })
	z.changed(Command{ID: CommandLeave, Group: group})
}

func (z *zyre) changed(c Command) {
	z.status++
	c.Status = z.status
	for _, p := range z.peers {
		z.send(p, c)
	}
}

func (z *zyre) Whisper(now time.Time, uuid UUID, content []byte) bool {
	p := z.peer(uuid)
	if p != nil {
		z.send(p, Command{ID: CommandWhisper, Content: [][]byte{content}})
	}
	return p != nil
}

func (z *zyre) Shout(now time.Time, group string, content []byte) {
	for _, p := range z.peers {
		if slices.Contains(p.groups, group) {
			z.send(p, Command{ID: CommandShout, Group: group, Content: [][]byte{content}})
		}
	}
}

// Stop says nothing: in beacon mode Zyre does not.
func (z *zyre) Stop(now time.Time) { z.peers = nil }

func (z *zyre) Deadline() time.Time { return z.tickAt }

func (z *zyre) Advance(now time.Time) {
	z.tickAt = now.Add(time.Second)
	for _, p := range slices.Clone(z.peers) {
		if p.conn == 0 {
			z.dial(p)
		}
		switch silence := now.Sub(p.heardAt); {
		case silence >= 30*time.Second:
			z.remove(p)
		case silence >= 5*time.Second:
			z.send(p, Command{ID: CommandPing})
		}
	}
}
