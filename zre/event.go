package zre

import (
	"time"

	"github.com/zsync/zsync"
)

// EventKind says what an [Event] tells.
type EventKind uint8

// The kinds of events. Between one Enter and its Exit every other event of a
// peer lies; Enter is followed by a Join for each group that the peer is in.
const (
	Enter     EventKind = iota + 1 // a peer can be spoken to
	Exit                           // it left, expired, was dropped, or runs anew under another UUID
	Join                           // it joined Group
	Leave                          // it left Group; not told again after an Exit
	Whisper                        // it sent Content to this node
	Shout                          // it sent Content to Group, which this node is in
	Evasive                        // it has been silent and did not answer a first PING
	Recovered                      // it was evasive and spoke again
	Resumed                        // a connection broke or lost something and was made good: messages may be missing, both ways
	Twin                           // an earlier run of it, which it had displaced, still lives: one key is used twice at a time
)

var eventNames = [...]string{
	Enter: "Enter", Exit: "Exit", Join: "Join", Leave: "Leave", Whisper: "Whisper", Shout: "Shout",
	Evasive: "Evasive", Recovered: "Recovered", Resumed: "Resumed", Twin: "Twin",
}

func (k EventKind) String() string {
	if int(k) < len(eventNames) && eventNames[k] != "" {
		return eventNames[k]
	}
	return "EventKind?"
}

// Event is a fact for the application. Peer, Key and Name are always set (Key
// is zero in plain mode); the other fields by the kinds that their comments name.
type Event struct {
	Kind     EventKind
	Peer     UUID
	Key      zsync.Key
	Name     string    // as the peer calls itself: any octets, to be quoted before a person sees them
	Group    string    // Join, Leave, Shout
	Endpoint string    // Enter: what its HELLO advertises; not proved to be reachable
	Address  string    // Enter: the IP address that it speaks from, "" where the driver does not know
	Headers  []Header  // Enter
	Heard    time.Time // Exit: when it spoke last
	Content  []byte    // Whisper, Shout: the first content frame; aliases what was received
	More     [][]byte  // Whisper, Shout: the content frames after it, which zsync never sends
}

// State is how things stand with a [Peer].
type State uint8

// The states of a peer.
const (
	Connecting State = iota + 1 // no connection to it stands: being dialled, or being dialled again
	Ready                       // it can be spoken to
	Silent                      // it can be spoken to, but is evasive
)

func (s State) String() string {
	switch s {
	case Connecting:
		return "connecting"
	case Ready:
		return "ready"
	case Silent:
		return "evasive"
	}
	return "State?"
}

// LinkKind says how the connection on which a [Peer] is spoken to came about.
type LinkKind uint8

// The kinds of links.
const (
	LinkNone     LinkKind = iota // none stands, and none is required
	LinkRequired                 // dialled, or being dialled, where [Node.Require] said
	LinkSighted                  // dialled where a beacon was heard from
	LinkIncoming                 // the peer dialled first: its own connection, or one to where it said that it is
)

var linkNames = [...]string{LinkNone: "none", LinkRequired: "required", LinkSighted: "sighted", LinkIncoming: "incoming"}

func (k LinkKind) String() string {
	if int(k) < len(linkNames) {
		return linkNames[k]
	}
	return "LinkKind?"
}

// Peer is a line of [Node.Peers]. UUID and Name are zero for a required
// endpoint whose owner has not been heard of yet.
type Peer struct {
	UUID      UUID
	Key       zsync.Key
	Name      string
	State     State
	Link      LinkKind
	RoundTrip time.Duration // from a PING, or a first HELLO, to its answer, at the latest; 0: not known yet
	Heard     time.Time     // when it spoke last; zero: it has not yet
	Endpoint  string
	Groups    []string // ascending; none of a peer whose key is confined
}

// Counters count what a node met since it was made. They only grow.
type Counters struct {
	Parsed    uint64 // commands read, HELLO and unknown ones included
	Malformed uint64 // messages that are no ZRE command
	Gaps      uint64 // commands out of sequence: something before them was lost
	Refused   uint64 // messages of a wrong key, a forged or own or displaced UUID, beyond a limit, or not for a confined key to say
	Ignored   uint64 // commands before a HELLO, of unknown id, or late ones of a connection that was hung up
	Hellos    uint64 // HELLOs said
	Dials     uint64 // connections asked for
}
