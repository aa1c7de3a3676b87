package security

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
)

const (
	// PendingFor is how long a typed key waits for its owner to show up.
	PendingFor = 24 * time.Hour

	recordsMax = 1000
	// namedMax bounds the keys that are there because the circle's log names them
	// and for no other reason: any device of the circle can invent more, and what
	// is typed and met here has to find room.
	namedMax = recordsMax / 2
)

var (
	// ErrUnknownKey is returned for a certificate whose CURVE key nobody typed here.
	ErrUnknownKey = errors.New("the key is not trusted here")
	// ErrRevoked is returned for a key or device that was revoked.
	ErrRevoked = errors.New("the key was revoked")
	// ErrOtherDevice is returned for a certificate whose CURVE key is pinned to
	// another signing key.
	ErrOtherDevice = errors.New("the key belongs to another device")
	// ErrStale is returned for a certificate that a newer one has replaced.
	ErrStale = errors.New("the device has a newer certificate")
	// ErrTrustFull is returned when no more keys can be trusted.
	ErrTrustFull = fmt.Errorf("more than %d keys", recordsMax)
	// ErrTooManyNamed is returned for a device that only the circle's log names
	// when there are enough of these. It can still be paired with by its key.
	ErrTooManyNamed = fmt.Errorf("the circle names more than %d devices that were never met here", namedMax)
	// ErrAddress is returned for an address that no device can have.
	ErrAddress = errors.New("unusable address")
)

// Trust is the list of who may connect. It is a value in memory: its owner
// writes its [Trust.Text] to a file whenever [Trust.Revision] has moved on.
// A key belongs to one device, and a device has one key.
type Trust struct {
	records  []Record // ascending by key
	revision uint64
}

// NewTrust returns a Trust in nobody.
func NewTrust() *Trust { return new(Trust) }

// Revision grows with each change, so that whoever acts on the list can tell
// that what it has acted on is no longer current.
func (t *Trust) Revision() uint64 { return t.revision }

// Pend trusts a key that a person typed enough to hear its certificate, for
// [PendingFor] from now. address is where its owner may be dialled, or empty.
// A key that has come further keeps its state.
func (t *Trust) Pend(now time.Time, key zsync.Key, address string) error {
	if address != "" && !isAddress(address) {
		return fmt.Errorf("%w %q", ErrAddress, address)
	}
	i, found := t.find(key)
	switch {
	case found && t.records[i].State == Revoked:
		return ErrRevoked
	case !found && len(t.records) == recordsMax:
		return ErrTrustFull
	case !found:
		t.records = slices.Insert(t.records, i, Record{Key: key, State: Pending})
	}
	if r := &t.records[i]; r.State == Pending {
		r.Since = wholeSecond(now)
	}
	t.revision++
	if address != "" {
		return t.Addressed(key, address)
	}
	return nil
}

// Pin records that the owner of a trusted key proved it by sending cert over
// the key's own channel. From here on the key and the signing key belong
// together. Until then they do not: whoever writes to the circle's log can name
// any key there, so its word for whose a key is gives way to the owner's.
func (t *Trust) Pin(now time.Time, cert Certificate) error {
	if t.Admit(cert.Curve) == DecisionUnknown {
		return ErrUnknownKey
	}
	return t.certified(now, cert, Paired)
}

// Enrol records that the circle's log names the owner of cert, who may never
// have been met here. A key that is pending stays so: a person typed it, and its
// owner is heard first.
func (t *Trust) Enrol(now time.Time, cert Certificate) error {
	if i, found := t.find(cert.Curve); found && t.records[i].State == Pending {
		return nil
	}
	return t.certified(now, cert, InCircle)
}

// certified gives cert's key at least the given state, and drops the key that
// the device had before. Paired is what a proof leads to, InCircle the log.
func (t *Trust) certified(now time.Time, cert Certificate, state State) error {
	previous, err := t.judge(cert, state == Paired)
	if err != nil {
		return err
	}
	next := previous
	next.Key, next.Cert, next.Device, next.Name = cert.Curve, cert, cert.Device(), cert.Name
	next.Proved = state == Paired || previous.Proved && previous.Key == cert.Curve
	if next.State < state {
		next.State, next.Since = state, wholeSecond(now)
	}
	if next.State == previous.State && next.Proved == previous.Proved && slices.Equal(cert.Encoded, previous.Cert.Encoded) {
		return nil
	}
	return t.replace(previous.Key, next)
}

// replace puts a record in the place of that of the same key and of the key old.
func (t *Trust) replace(old zsync.Key, next Record) error {
	if _, found := t.find(next.Key); !found {
		_, moves := t.find(old)
		switch {
		case len(t.records) == recordsMax && !moves:
			return ErrTrustFull
		case next.named() && !moves && t.named() >= namedMax:
			return ErrTooManyNamed
		}
	}
	if old != next.Key {
		t.drop(old)
	}
	i, found := t.find(next.Key)
	if !found {
		t.records = slices.Insert(t.records, i, Record{})
	}
	t.records[i] = next
	t.revision++
	return nil
}

func (t *Trust) named() (n int) {
	for i := range t.records {
		if t.records[i].named() {
			n++
		}
	}
	return n
}

// judge finds the record that cert adds to or replaces; a zero one when both
// the key and the device are new. proved says that the key's owner sent it.
func (t *Trust) judge(cert Certificate, proved bool) (Record, error) {
	var previous Record
	if i, found := t.find(cert.Curve); found {
		previous = t.records[i]
	}
	switch {
	case previous.State == Revoked:
		return Record{}, ErrRevoked
	case previous.Cert.IsZero() || previous.Device == cert.Device():
	case proved && previous.named():
		previous = Record{Key: cert.Curve, Addresses: previous.Addresses}
	default:
		return Record{}, ErrOtherDevice
	}
	if known, found := t.ByDevice(cert.Device()); found && known.Key != cert.Curve {
		known.Addresses = mergedAddresses(previous.Addresses, known.Addresses)
		previous = known
	}
	switch {
	case previous.State == Revoked:
		return Record{}, ErrRevoked
	case previous.Cert.newer(cert):
		return Record{}, ErrStale
	}
	return previous, nil
}

// Revoke shuts a key out for good, known before or not.
func (t *Trust) Revoke(now time.Time, key zsync.Key) error {
	i, found := t.find(key)
	if !found {
		if len(t.records) == recordsMax {
			return ErrTrustFull
		}
		t.records = slices.Insert(t.records, i, Record{Key: key})
	}
	if r := &t.records[i]; r.State != Revoked {
		r.State, r.Since, r.Proved = Revoked, wholeSecond(now), false
		t.revision++
	}
	return nil
}

// Addressed notes where the owner of a known key was reached. Addresses of
// other keys are not kept.
func (t *Trust) Addressed(key zsync.Key, address string) error {
	if !isAddress(address) {
		return fmt.Errorf("%w %q", ErrAddress, address)
	}
	i, found := t.find(key)
	if !found {
		return ErrUnknownKey
	}
	r := &t.records[i]
	if len(r.Addresses) > 0 && r.Addresses[0] == address {
		return nil
	}
	r.Addresses = mergedAddresses([]string{address}, r.Addresses)
	t.revision++
	return nil
}

// Expire drops the keys that have been pending for too long, and reports whether
// there were any.
func (t *Trust) Expire(now time.Time) bool {
	before := len(t.records)
	t.records = slices.DeleteFunc(t.records, func(r Record) bool {
		return r.State == Pending && !now.Before(r.Since.Add(PendingFor))
	})
	if len(t.records) == before {
		return false
	}
	t.revision++
	return true
}

// Deadline returns when [Trust.Expire] is next needed; zero for never.
func (t *Trust) Deadline() (next time.Time) {
	for _, r := range t.records {
		if end := r.Since.Add(PendingFor); r.State == Pending && (next.IsZero() || end.Before(next)) {
			next = end
		}
	}
	return next
}

// Admit decides what the owner of a key may do.
func (t *Trust) Admit(key zsync.Key) Decision {
	i, found := t.find(key)
	if !found {
		return DecisionUnknown
	}
	switch t.records[i].State {
	case Pending:
		return DecisionPending
	case Revoked:
		return DecisionRevoked
	}
	return DecisionTrusted
}

// Trusted returns the keys that may connect, pending ones included, ascending.
func (t *Trust) Trusted() []zsync.Key {
	return t.keys(func(s State) bool { return s != Revoked })
}

// Revoked returns the keys that were revoked, ascending.
func (t *Trust) Revoked() []zsync.Key {
	return t.keys(func(s State) bool { return s == Revoked })
}

func (t *Trust) keys(wanted func(State) bool) (keys []zsync.Key) {
	for _, r := range t.records {
		if wanted(r.State) {
			keys = append(keys, r.Key)
		}
	}
	return keys
}

// Records returns all there is, ascending by key.
func (t *Trust) Records() []Record {
	records := slices.Clone(t.records)
	for i := range records {
		records[i].Addresses = slices.Clone(records[i].Addresses)
	}
	return records
}

// ByKey returns the record of a key.
func (t *Trust) ByKey(key zsync.Key) (Record, bool) {
	i, found := t.find(key)
	if !found {
		return Record{}, false
	}
	r := t.records[i]
	r.Addresses = slices.Clone(r.Addresses)
	return r, true
}

// ByDevice returns the record of a device whose certificate is known.
func (t *Trust) ByDevice(device zsync.DeviceID) (Record, bool) {
	for _, r := range t.records {
		if r.Device == device && !device.IsZero() {
			r.Addresses = slices.Clone(r.Addresses)
			return r, true
		}
	}
	return Record{}, false
}

func (t *Trust) find(key zsync.Key) (int, bool) {
	return slices.BinarySearchFunc(t.records, key, func(r Record, k zsync.Key) int { return r.Key.Compare(k) })
}

func (t *Trust) drop(key zsync.Key) {
	if i, found := t.find(key); found {
		t.records = slices.Delete(t.records, i, i+1)
	}
}
