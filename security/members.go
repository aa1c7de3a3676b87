package security

import (
	"errors"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// Right is what a device may do in a space. Numbers are format.
type Right uint8

// The rights of this version. The founder of a space has RightAdmin, and so has
// every device of a circle in the circle and in its folders.
const (
	RightNone  Right = 0 // not a member
	RightAdmin Right = 1 // everything, and the membership
	RightFull  Right = 2 // everything but the membership
)

func (r Right) String() string {
	switch r {
	case RightAdmin:
		return "admin"
	case RightFull:
		return "full"
	}
	return "none"
}

// allows reports whether a device with right r may author an event of kind.
func (r Right) allows(kind zsync.Kind) bool {
	if kind == zsync.KindMember {
		return r == RightAdmin
	}
	return r != RightNone
}

// strongest returns the stronger of two rights: an add never takes any away.
func strongest(a, b Right) Right {
	if a == RightNone || b == RightAdmin {
		return b
	}
	return a
}

// Member is a device that some membership event names.
type Member struct {
	Device zsync.DeviceID
	Cert   Certificate // zero for a founder whom no event has named yet
	Right  Right
}

// bucketMembers holds the fold, under keys that begin with what they are of.
const bucketMembers = "members"

const (
	ofChain  = 'c' // writer 16 -> chain
	ofDevice = 'd' // device 32 -> standing
	ofRuling = 'e' // event 32 -> ruling
)

// chain is where one writer stands: its membership frontier, and the right that
// this frontier gives to the writer's device.
type chain struct {
	Right    Right           `cbor:"1,keyasint"`
	Frontier []zsync.EventID `cbor:"2,keyasint,omitempty"`
}

// ruling is an admitted membership event: what it grants, and the frontier that
// its author knew. Rulings and their pasts are the membership DAG; the genesis
// is its root.
type ruling struct {
	Past   []zsync.EventID `cbor:"1,keyasint,omitempty"`
	Grants []grant         `cbor:"2,keyasint"`
}

type grant struct {
	_      struct{} `cbor:",toarray"`
	Device zsync.DeviceID
	Right  Right
}

// standing is the sum of all rulings on one device.
type standing struct {
	Right Right  `cbor:"1,keyasint"`
	Cert  []byte `cbor:"2,keyasint,omitempty"`
}

// errMembers is met by a record of the fold that this program did not write.
var errMembers = errors.New("security: damaged membership record")

// Members folds the membership events of one space and judges all its events.
// It keeps everything in the space's database, so a transaction that fails leaves
// no trace in it. In memory are only records that it has decoded, each with its octets.
//
// A right is what an event's membership frontier gives: the membership events
// that the latest non-empty auth along the event's own chain names, and all in
// their past. What else has been merged here does not count, so the judgement
// is the same on every device. Adds only add, hence an author who names less
// than it knows can only weaken its own events.
//
// The caller presents events in causal order, those that auth names included. It
// has Members [Members.Forget] and judge anew when it finds out that events that
// were judged are not part of the space's history after all.
type Members struct {
	decoded map[zsync.DeviceID]decoded
}

// OpenMembers returns the fold that tx's database holds, which may be empty. It
// fails tx when a record of it is damaged.
func OpenMembers(tx kv.Tx) *Members {
	tx.Scan(bucketMembers, nil, func(key, value []byte) bool {
		switch key[0] {
		case ofChain:
			read(tx, value, new(chain))
		case ofDevice:
			read(tx, value, new(standing))
		case ofRuling:
			read(tx, value, new(ruling))
		}
		return tx.Err() == nil
	})
	return &Members{decoded: make(map[zsync.DeviceID]decoded)}
}

// Admit judges one event, once, and remembers what it says about membership.
// False means that the event is void: it keeps its place in its chain and means
// nothing.
func (m *Members) Admit(tx kv.Tx, h zsync.Header, id zsync.EventID, author zsync.DeviceID, body []byte) bool {
	if h.Kind == zsync.KindGenesis {
		return m.founded(tx, h, id, author)
	}
	c := m.chainOf(tx, h, author)
	if !c.Right.allows(h.Kind) {
		return false
	}
	if h.Kind != zsync.KindMember {
		return true
	}
	added, err := decodeAdds(h, body)
	if err != nil {
		return false
	}
	m.ruled(tx, h.Writer, id, c, author, added)
	return true
}

// Forget drops the whole fold. All events that still count must be presented
// again, in causal order.
func (m *Members) Forget(tx kv.Tx) { tx.Drop(bucketMembers) }

// founded takes the genesis, which is its own authority.
func (m *Members) founded(tx kv.Tx, h zsync.Header, id zsync.EventID, author zsync.DeviceID) bool {
	known := false
	kv.ScanPrefix(tx, bucketMembers, []byte{ofRuling}, func(_, _ []byte) bool {
		known = true
		return false
	})
	if known || h.Seq != 1 || !h.Space.IsZero() {
		return false
	}
	m.ruled(tx, h.Writer, id, chain{}, author, []Member{{Device: author, Right: RightAdmin}})
	return true
}

// chainOf returns where the event's writer stands at the event. Every event
// moves its chain, also one that is void.
func (m *Members) chainOf(tx kv.Tx, h zsync.Header, author zsync.DeviceID) chain {
	var c chain
	key := keyOf(ofChain, h.Writer[:])
	if len(h.Auth) == 0 {
		get(tx, key, &c)
		return c
	}
	c.Frontier = m.rulings(tx, h.Auth)
	c.Right = m.rightAt(tx, c.Frontier, author)
	put(tx, key, c)
	return c
}

// rulings returns those of ids that are admitted membership events.
func (m *Members) rulings(tx kv.Tx, ids []zsync.EventID) (found []zsync.EventID) {
	for _, id := range ids {
		if tx.Get(bucketMembers, keyOf(ofRuling, id[:])) != nil {
			found = append(found, id)
		}
	}
	return found
}

// rightAt returns the right that a frontier and all its past give to a device.
func (m *Members) rightAt(tx kv.Tx, frontier []zsync.EventID, device zsync.DeviceID) Right {
	right := RightNone
	seen := make(map[zsync.EventID]bool)
	for _, id := range frontier {
		right = strongest(right, m.rightIn(tx, id, device, seen))
	}
	return right
}

// Granting returns the first of several admitted membership events that, with
// all in its past, gives a device the strongest right that any of them gives;
// false when none gives it any.
func (m *Members) Granting(tx kv.Tx, among []zsync.EventID, device zsync.DeviceID) (zsync.EventID, bool) {
	var granting zsync.EventID
	best := RightNone
	seen := make(map[zsync.EventID]bool) // one event's past gives no more than that event did
	for _, id := range among {
		if right := strongest(best, m.rightIn(tx, id, device, seen)); right != best {
			granting, best = id, right
		}
		if best == RightAdmin {
			break
		}
	}
	return granting, best != RightNone
}

// rightIn returns the right that a membership event and its past give to a
// device, apart from what has been seen, which grows.
func (m *Members) rightIn(tx kv.Tx, id zsync.EventID, device zsync.DeviceID, seen map[zsync.EventID]bool) Right {
	right := RightNone
	for next := []zsync.EventID{id}; len(next) > 0 && right != RightAdmin; {
		id := next[len(next)-1]
		next = next[:len(next)-1]
		if seen[id] {
			continue
		}
		seen[id] = true
		var r ruling
		get(tx, keyOf(ofRuling, id[:]), &r)
		for _, g := range r.Grants {
			if g.Device == device {
				right = strongest(right, g.Right)
			}
		}
		next = append(next, r.Past...)
	}
	return right
}

// ruled keeps an admitted membership event. From here on it is its own chain's
// frontier: it has that chain's frontier in its past.
func (m *Members) ruled(tx kv.Tx, w zsync.WriterID, id zsync.EventID, c chain, author zsync.DeviceID, added []Member) {
	r := ruling{Past: c.Frontier}
	right := c.Right
	for _, a := range added {
		r.Grants = append(r.Grants, grant{Device: a.Device, Right: a.Right})
		if a.Device == author {
			right = strongest(right, a.Right)
		}
		m.stand(tx, a)
	}
	put(tx, keyOf(ofRuling, id[:]), r)
	put(tx, keyOf(ofChain, w[:]), chain{right, []zsync.EventID{id}})
}

// stand adds one ruling on a device to its standing: the strongest right and
// the newest certificate, in whatever order they come.
func (m *Members) stand(tx kv.Tx, a Member) {
	old, _ := m.member(tx, a.Device)
	a.Right = strongest(a.Right, old.Right)
	if old.Cert.newer(a.Cert) {
		a.Cert = old.Cert
	}
	put(tx, keyOf(ofDevice, a.Device[:]), standing{a.Right, a.Cert.Encoded})
}

// Right returns what a device may do as far as this device knows.
func (m *Members) Right(tx kv.Tx, device zsync.DeviceID) Right {
	member, _ := m.member(tx, device)
	return member.Right
}

// List returns all members, ascending by device.
func (m *Members) List(tx kv.Tx) []Member {
	var devices []zsync.DeviceID
	kv.ScanPrefix(tx, bucketMembers, []byte{ofDevice}, func(key, _ []byte) bool {
		devices = append(devices, zsync.DeviceID(key[1:]))
		return true
	})
	list := make([]Member, 0, len(devices))
	for _, device := range devices {
		if member, found := m.member(tx, device); found {
			list = append(list, member)
		}
	}
	return list
}

func keyOf(what byte, id []byte) []byte { return append([]byte{what}, id...) }

func put(tx kv.Tx, key []byte, record any) { tx.Put(bucketMembers, key, wire.Marshal(record)) }

func get(tx kv.Tx, key []byte, record any) bool {
	value := tx.Get(bucketMembers, key)
	if value != nil {
		read(tx, value, record)
	}
	return value != nil
}

func read(tx kv.Tx, value []byte, record any) {
	if err := wire.Unmarshal(value, record); err != nil {
		tx.Fail(fmt.Errorf("%w: %w", errMembers, err))
	}
}
