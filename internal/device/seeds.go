package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// seed is an address that was given without a key. The keys that may be there are
// tried one after the other, until one of them opens.
type seed struct {
	endpoint string
	key      zsync.Key // being tried; zero: none
	conn     zre.Conn  // that is open there; 0: none
	met      bool      // key was there once
	failed   bool      // the last try did
}

// dialPeer keeps dialling an address. Without a key, it is tried with the keys
// that may be there.
func (l *LinkMachine) dialPeer(now time.Time, in Peer) {
	endpoint := endpointOf(in.Address)
	same := func(s *seed) bool { return s.endpoint == endpoint }
	switch {
	case !in.Key.IsZero():
		l.seeds = slices.DeleteFunc(l.seeds, same)
		l.node.Require(now, endpoint, in.Key)
	case !slices.ContainsFunc(l.seeds, same):
		l.seeds = append(l.seeds, &seed{endpoint: endpoint})
	}
}

// dialSeeds has each seed where nothing is open tried with a key that may be
// there: another one after a failure, or when the one that was tried has been
// met elsewhere. It reports whether it changed anything.
func (l *LinkMachine) dialSeeds(now time.Time) (changed bool) {
	for _, s := range l.seeds {
		if s.conn != 0 {
			continue
		}
		may := l.seekers(s)
		next := after(may, s.key)
		if !s.failed && (next == s.key || slices.Contains(may, s.key)) {
			continue
		}
		switch {
		case next.IsZero() && !s.key.IsZero() && !l.knows(s.endpoint):
			l.node.Forget(now, s.endpoint)
		case next.IsZero() || next == s.key: // zre goes on dialling
		case s.failed:
			l.node.RequireNext(now, s.endpoint, next)
		default:
			l.node.Require(now, s.endpoint, next)
		}
		s.met = s.met && s.key == next
		s.key, s.failed, changed = next, false, true
	}
	return changed
}

// retrySeeds tries again at once: the keys that may be there have changed.
func (l *LinkMachine) retrySeeds(now time.Time) {
	l.dialSeeds(now)
	for _, s := range l.seeds {
		if s.conn == 0 && !s.key.IsZero() {
			l.node.Require(now, s.endpoint, s.key)
		}
	}
}

// seekers returns the keys, ascending, of devices that are not here and of which
// no address is known: any of them may be at an address that is no known one's.
// One that was met there and is being dialled again still counts as here for a
// while.
func (l *LinkMachine) seekers(s *seed) (keys []zsync.Key) {
	if l.knows(s.endpoint) {
		return nil
	}
	for _, record := range l.trust.Records() {
		if record.State != security.Revoked && len(record.Addresses) == 0 &&
			record.Key != l.cfg.Keys.Key() && (!l.isHere(record.Key) || s.met && record.Key == s.key) {
			keys = append(keys, record.Key)
		}
	}
	return keys
}

// knows reports whether an address is a known device's, which is dialled there.
func (l *LinkMachine) knows(endpoint string) bool {
	return slices.ContainsFunc(l.trust.Records(), func(r security.Record) bool {
		return r.State != security.Revoked && slices.ContainsFunc(r.Addresses, func(address string) bool {
			return endpointOf(address) == endpoint
		})
	})
}

func (l *LinkMachine) isHere(key zsync.Key) bool {
	for _, p := range l.peers {
		if p.key == key {
			return true
		}
	}
	return false
}

// after returns the key that follows another in a list that goes round; zero if
// there is none.
func after(keys []zsync.Key, key zsync.Key) zsync.Key {
	if len(keys) == 0 {
		return zsync.Key{}
	}
	i, found := slices.BinarySearchFunc(keys, key, zsync.Key.Compare)
	if found {
		i++
	}
	return keys[i%len(keys)]
}

// opened notes that a device answered a dial.
func (l *LinkMachine) opened(conn zre.Conn) {
	dial, dialled := l.dials[conn]
	delete(l.dials, conn)
	for _, s := range l.seeds {
		if dialled && s.endpoint == dial.Endpoint && s.key == dial.Key {
			s.conn, s.met = conn, true
		}
	}
}

// closed notes that a dial came to nothing, or that a connection is gone.
func (l *LinkMachine) closed(conn zre.Conn) {
	dial, dialled := l.dials[conn]
	delete(l.dials, conn)
	for _, s := range l.seeds {
		switch {
		case s.conn == conn:
			s.conn = 0
		case dialled && s.endpoint == dial.Endpoint && s.key == dial.Key:
			s.failed = true
		}
	}
}
