package zre

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// Conn names one connection. Those that the node dials are numbered by the node,
// from 1; incoming ones by the driver, from [FirstIncoming]; 0 is none.
type Conn uint64

// FirstIncoming is the lowest number of an incoming connection.
const FirstIncoming Conn = 1 << 32

// Origin says whom a message came from, as far as the transport can tell.
type Origin struct {
	Key      zsync.Key // the authenticated CURVE key; zero in plain mode
	Address  string    // the IP address without a port; "" if unknown
	Identity []byte    // the routing id of an incoming connection, 0x01 and the UUID; nil on dialled ones
}

// Header is one line of what a HELLO tells about its sender.
type Header struct{ Name, Value string }

// Output is what a node wants done, to be carried out in the order of the fields.
type Output struct {
	Dial   []Dial
	Send   []Send
	Hangup []Conn
	Events []Event
}

// Dial asks for a connection to Endpoint: a DEALER whose routing id is Identity
// and, unless Key is zero, CURVE with Key as the server's. The driver reports
// [Node.Opened] or [Node.Closed] and does not reconnect by itself.
type Dial struct {
	Conn     Conn
	Endpoint string
	Key      zsync.Key
	Identity []byte
}

// Send asks for one message to be sent. The frames may share memory with those
// of other messages and must not be changed.
type Send struct {
	Conn   Conn
	Frames [][]byte
	Done   func() // where set, called when the frames may be used again, if ever
}

// Node is one ZRE node, a deterministic machine: see the package comment. It is
// not safe for concurrent use.
type Node struct {
	cfg      Config
	headers  []Header    // what HELLO tells: the Config's and the node's own
	groups   []string    // that this node is in, ascending
	status   uint8       // counts its JOINs and LEAVEs, modulo 256
	peers    []*peer     // ascending by UUID
	links    []*link     // ascending by Conn
	routes   []*route    // ascending by endpoint and key
	dropped  []zsync.Key // keys that [Node.Drop] withdrew trust from, ascending
	confined []zsync.Key // keys that [Node.Confine] was told of, ascending
	behind   []untold    // ascending by key
	waves    []*wave     // elections passing through, ascending by group
	lastConn Conn        // the number of the latest Dial
	stopped  bool
	counters Counters
	out      Output
}

// NewNode returns a node that knows nobody. It panics if cfg is not valid: see
// [Config.Validate].
func NewNode(cfg Config) *Node {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		panic(err)
	}
	return &Node{cfg: cfg, headers: cfg.helloHeaders()}
}

// Output returns what has been asked for since the last call.
func (n *Node) Output() Output {
	out := n.out
	n.out = Output{}
	return out
}

// Counters returns what the node has met so far.
func (n *Node) Counters() Counters { return n.counters }

// Join makes the node a member of group and tells its peers. It is no
// operation when the node is in it already, and reports false only for a name
// that the wire cannot carry (1 to 255 octets without NUL) or one group too many.
func (n *Node) Join(now time.Time, group string) bool {
	at, found := slices.BinarySearch(n.groups, group)
	if found {
		return true
	}
	if !sendable(group) || len(n.groups) >= n.cfg.GroupsMax {
		return false
	}
	n.groups = slices.Insert(n.groups, at, group)
	n.regrouped(Command{ID: CommandJoin, Group: group})
	return true
}

// Leave ends the node's membership of group and tells its peers. It is no
// operation when the node is not in it.
func (n *Node) Leave(now time.Time, group string) {
	at, found := slices.BinarySearch(n.groups, group)
	if !found {
		return
	}
	n.groups = slices.Delete(n.groups, at, at+1)
	n.endWave(group)
	n.regrouped(Command{ID: CommandLeave, Group: group})
}

// regrouped tells all who got a HELLO that the groups it named have changed,
// those included whose answer is still to come. Zyre aborts when the status does
// not go up by exactly one, so whoever gets its HELLO later gets the new status
// in it, and nobody gets both.
func (n *Node) regrouped(change Command) {
	n.status++
	for _, key := range n.confined {
		n.hold(key)
	}
	for _, l := range n.links {
		if l.said && (l.peer == nil || l.peer.out == l) && !n.isConfined(l.key) {
			change.Status = n.statusFor(l.key)
			n.send(l, change)
		}
	}
}

// Whisper sends content to one peer. It reports false if there is no such
// peer, or no connection to it at the moment.
func (n *Node) Whisper(now time.Time, peer UUID, content []byte) bool {
	p := n.peer(peer)
	if p == nil || !p.entered || p.out == nil {
		return false
	}
	n.send(p.out, Command{ID: CommandWhisper, Content: [][]byte{content}})
	return true
}

// Shout sends content to every peer that is in group. The node itself need not be.
func (n *Node) Shout(now time.Time, group string, content []byte) {
	for _, p := range n.peers {
		if p.entered && p.in(group) {
			n.send(p.out, Command{ID: CommandShout, Group: group, Content: [][]byte{content}})
		}
	}
}

// Stop says GOODBYE to everyone; from then on the node ignores whatever it is
// told. The driver closes the connections once the Output has left.
func (n *Node) Stop(now time.Time) {
	for _, p := range n.peers {
		n.send(p.out, Command{ID: CommandGoodbye})
	}
	n.stopped = true
	n.peers, n.links, n.routes, n.waves = nil, nil, nil, nil
}

// tell adds an event about p, unless the application was never told of p.
func (n *Node) tell(p *peer, e Event) {
	if !p.entered {
		return
	}
	e.Peer, e.Key, e.Name = p.uuid, p.key, p.name
	n.out.Events = append(n.out.Events, e)
}
