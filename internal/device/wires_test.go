package device_test

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// network carries out orders to the sockets of one of the two links.
func (s *stage) network(a *actor, port int, orders device.NetOrders) {
	for _, dial := range orders.Dial {
		s.dial(a, port, dial)
	}
	for _, send := range orders.Send {
		if w, open := a.conns[port][send.Conn]; open {
			fact := device.NetFact{Kind: device.NetReceived, Conn: w.conn, Address: a.host(), Frames: send.Frames}
			if w.conn > firstIncoming {
				fact.Key = a.keys.Key()
			}
			s.fact(w.to, port, fact)
		}
	}
	for _, conn := range orders.Hangup {
		s.hangUp(a, port, conn)
	}
}

func (s *stage) dial(a *actor, port int, dial zre.Dial) {
	i := slices.IndexFunc(s.order, func(b *actor) bool {
		return b.link != nil && dial.Endpoint == fmt.Sprintf("tcp://%s:%d", b.host(), 7001+port)
	})
	fact := device.NetFact{Kind: device.NetClosed, Conn: dial.Conn, Err: errors.New("nobody answers")}
	switch {
	case i < 0:
	case s.order[i].keys.Key() != dial.Key:
		fact.Kind = device.NetBadKey
	case !slices.Contains(s.order[i].trust.Trusted(), a.keys.Key()):
	case port == 1 && s.order[i].trust.Admit(a.keys.Key()) == security.DecisionPending:
	default:
		b := s.order[i]
		b.calls++
		a.conns[port][dial.Conn] = wire{b, b.calls}
		b.conns[port][b.calls] = wire{a, dial.Conn}
		fact = device.NetFact{Kind: device.NetOpened, Conn: dial.Conn}
	}
	s.fact(a, port, fact)
}

func (s *stage) hangUp(a *actor, port int, conn zre.Conn) {
	w, open := a.conns[port][conn]
	if !open {
		return
	}
	delete(a.conns[port], conn)
	delete(w.to.conns[port], w.conn)
	s.fact(w.to, port, device.NetFact{Kind: device.NetClosed, Conn: w.conn, Err: errors.New("the other side hung up")})
}

func (s *stage) fact(a *actor, port int, fact device.NetFact) {
	if port == 0 {
		s.post(a, device.Address{Part: device.Link}, device.MailboxFacts{fact})
		return
	}
	s.post(a, device.Address{Part: device.Link}, device.TransferFacts{fact})
}

func sortedConns(conns map[zre.Conn]wire) []zre.Conn {
	all := make([]zre.Conn, 0, len(conns))
	for conn := range conns {
		all = append(all, conn)
	}
	slices.SortFunc(all, func(a, b zre.Conn) int { return cmp.Compare(a, b) })
	return all
}
