package zre

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
)

// Config says who a node is and how patient. UUID and Endpoint must be set; the
// zero value of every other field stands for the default that it names.
type Config struct {
	// UUID names this run of the node: 16 random octets, never used again.
	UUID UUID
	// Name is what people see; by default the first six digits of the UUID.
	Name string
	// Endpoint is what HELLO advertises, "tcp://host:port": where peers find the
	// node's ROUTER. A host of 0.0.0.0 makes them use the address they see.
	Endpoint string
	// Headers are told in HELLO. The node adds X-PUBLICKEY in secure mode, and
	// X-UUID if X-ZSYNC is among them: that header says that its sender reads the
	// connections it dials, and so can be answered on them.
	Headers []Header
	// Key is the node's own CURVE public key. Zero means plain mode: no
	// encryption, and everyone is believed.
	Key zsync.Key

	// Evasive is how long a peer may be silent before it is PINGed. Default 5 s.
	Evasive time.Duration
	// Expired is how long a peer may be silent before it is given up. Default 30 s.
	Expired time.Duration
	// RedialMin and RedialMax bound the pause before a failed dial is repeated;
	// it doubles from one to the other. Default 250 ms and 30 s.
	RedialMin, RedialMax time.Duration

	// PeersMax bounds the peers, and the endpoints that were only heard of in
	// beacons. Default 1,000: each costs the driver three descriptors.
	PeersMax int
	// GroupsMax bounds the groups of the node and of each peer. Default 1,000.
	GroupsMax int
}

// The patience that is nobody's to choose.
const (
	dialWait      = 10 * time.Second // for a dialled connection to open
	answerWait    = 10 * time.Second // for a HELLO to be answered by one
	redundantWait = 10 * time.Second // for what is under way on a connection that is no longer used
	twinAfter     = 10 * time.Second // after a run was displaced: what it says then was not under way
	helloPauseMin = time.Second      // between two HELLOs to one peer
	helloPauseMax = 30 * time.Second // and when that pause has doubled again and again
	pingsPerSpan  = 5                // an unanswered PING is repeated after Evasive / 5
	linksPerPeer  = 8                // connections of one peer that are remembered
	formerPerPeer = 8                // UUIDs of one peer's earlier runs that are remembered
)

func (c Config) withDefaults() Config {
	setDefault(&c.Name, c.UUID.String()[:6])
	setDefault(&c.Evasive, 5*time.Second)
	setDefault(&c.Expired, 30*time.Second)
	setDefault(&c.RedialMin, 250*time.Millisecond)
	setDefault(&c.RedialMax, 30*time.Second)
	setDefault(&c.PeersMax, 1000)
	setDefault(&c.GroupsMax, 1000)
	return c
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Validate reports what in c no node can work with.
func (c Config) Validate() error {
	c = c.withDefaults()
	switch {
	case c.UUID.IsZero():
		return errors.New("zre: a node needs a UUID")
	case !sendable(c.Name):
		return fmt.Errorf("zre: %q is no name of 1 to %d octets", c.Name, stringBytesMax)
	case !sendable(c.Endpoint):
		return fmt.Errorf("zre: %q is no endpoint of 1 to %d octets", c.Endpoint, stringBytesMax)
	case c.Evasive < 0 || c.Expired <= c.Evasive || c.RedialMin < 0 || c.RedialMax < c.RedialMin:
		return errors.New("zre: Expired must be above Evasive, RedialMax not below RedialMin, none negative")
	case c.PeersMax < 0 || c.GroupsMax < 0 || c.GroupsMax > groupsMax:
		return fmt.Errorf("zre: PeersMax and GroupsMax must not be negative, nor GroupsMax above %d", groupsMax)
	case len(c.Headers) > headersMax-2:
		return fmt.Errorf("zre: %d headers, at most %d", len(c.Headers), headersMax-2)
	}
	for _, h := range c.Headers {
		if !sendable(h.Name) || len(h.Value) > headerBytesMax {
			return fmt.Errorf("zre: header %q cannot be sent", h.Name)
		}
	}
	return nil
}

// sendable reports whether every implementation can read text where the wire
// has a one-octet length: C strings end at a NUL.
func sendable(text string) bool {
	return text != "" && len(text) <= stringBytesMax && !strings.ContainsRune(text, 0)
}

// The headers that the protocol itself reads.
const (
	headerKey    = "X-PUBLICKEY" // the sender's CURVE key in Z85; set by every secure implementation
	headerDuplex = "X-ZSYNC"     // the sender reads the connections that it dials
	headerUUID   = "X-UUID"      // the sender's UUID: a DEALER is not told who answers it
)

func (c Config) helloHeaders() []Header {
	headers := slices.Clone(c.Headers)
	if !c.Key.IsZero() {
		headers = append(headers, Header{headerKey, z85(c.Key)})
	}
	if c.duplex() {
		headers = append(headers, Header{headerUUID, c.UUID.String()})
	}
	return headers
}

func (c Config) secure() bool { return !c.Key.IsZero() }

func (c Config) duplex() bool {
	_, found := header(c.Headers, headerDuplex)
	return found
}

// header returns the first header of that name: of a repeated one, Zyre too
// keeps the first.
func header(headers []Header, name string) (value string, found bool) {
	for _, h := range headers {
		if h.Name == name {
			return h.Value, true
		}
	}
	return "", false
}
