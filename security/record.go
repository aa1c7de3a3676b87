package security

import (
	"slices"
	"strings"
	"time"

	"github.com/zsync/zsync"
)

const (
	addressesMax    = 8 // of one key, the newest
	addressBytesMax = 255
)

// State is how far a key has come.
type State uint8

// The states of a key. They only go forward, but a key that stays pending for
// [PendingFor] is dropped.
const (
	Pending  State = iota + 1 // typed here; its owner has not been met
	Paired                    // its owner proved it, and its signing key is pinned
	InCircle                  // the circle's log names its owner
	Revoked                   // never again
)

func (s State) String() string {
	switch s {
	case Pending:
		return "pending"
	case Paired:
		return "paired"
	case InCircle:
		return "member"
	case Revoked:
		return "revoked"
	}
	return "unknown"
}

// Decision is what the owner of a key may do on the main mailbox.
type Decision uint8

// The decisions.
const (
	DecisionUnknown Decision = iota // nothing: not trusted, or not yet (ZAP status 300)
	DecisionPending                 // HELLO, PING and CERT, until its certificate came
	DecisionTrusted                 // everything that a device of the circle may
	DecisionRevoked                 // nothing, for good (ZAP status 400)
)

// Record is what is known of one key.
type Record struct {
	Key       zsync.Key
	Device    zsync.DeviceID // zero while pending
	Name      string         // empty while pending
	State     State
	Proved    bool        // its owner sent Cert over the key's own channel; always when paired
	Cert      Certificate // zero while pending
	Addresses []string    // where it was last reached or said to be, newest first
	Since     time.Time   // when it came into its state; whole seconds, UTC
}

// named reports whether nothing but the circle's log speaks for a key.
func (r *Record) named() bool { return r.State == InCircle && !r.Proved }

// mergedAddresses puts the fresh ones before the others, each once, and keeps
// the first few.
func mergedAddresses(fresh, others []string) (merged []string) {
	for _, address := range slices.Concat(fresh, others) {
		if !slices.Contains(merged, address) && len(merged) < addressesMax {
			merged = append(merged, address)
		}
	}
	return merged
}

// isAddress accepts anything in visible ASCII that a line of the file can hold;
// what it means is the transport's business.
func isAddress(text string) bool {
	return text != "" && len(text) <= addressBytesMax && text != noField &&
		!strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' })
}

func wholeSecond(t time.Time) time.Time { return t.UTC().Truncate(time.Second) }
