package zeromq

import (
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	zmq "github.com/pebbe/zmq4"

	"github.com/zsync/zsync"
)

// zapEndpoint is where libzmq asks who may connect (27/ZAP).
const zapEndpoint = "inproc://zeromq.zap.01"

// numberProperty is the ZAP metadata that carries a connection's number: libzmq
// attaches it to every message of that connection.
const numberProperty = "X-Conn"

// verdict is a ZAP status.
type verdict string

const (
	admit   verdict = "200"
	unknown verdict = "300" // the client is not answered, and may come again
	revoked verdict = "400" // the client is told
	broken  verdict = "500"
)

// arrival is a connection that has proved its key to the door.
type arrival struct {
	number   uint64
	key      zsync.Key
	address  netip.Addr
	admitted bool
}

// door is the ZAP handler: one goroutine that judges every handshake of every
// ROUTER in the context.
type door struct {
	trust    atomic.Pointer[trust] // replaced as a whole; read by the door and the links
	attempts *attempts
	link     func(domain string) *Link

	mu      sync.Mutex // orders the callers who replace trust, and guards shunned
	shunned map[zsync.Key]time.Time

	next uint64 // the number of the last arrival; the door's own
}

// trust is who may connect; never changed once it is set.
type trust struct {
	trusted, pending, revoked map[zsync.Key]bool
}

func newDoor(attempts *attempts, link func(string) *Link) *door {
	d := &door{attempts: attempts, link: link, shunned: map[zsync.Key]time.Time{}, next: firstIncoming - 1}
	d.trust.Store(&trust{})
	return d
}

// change replaces what set changes of the trust; who reads it meanwhile has it as it
// was.
func (d *door) change(set func(next *trust)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	next := *d.trust.Load()
	set(&next)
	d.trust.Store(&next)
}

func keySet(keys []zsync.Key) map[zsync.Key]bool {
	set := make(map[zsync.Key]bool, len(keys))
	for _, k := range keys {
		set[k] = true
	}
	return set
}

// judge says what becomes of the owner of a key at a link.
func (t *trust) judge(l *Link, key zsync.Key) verdict {
	switch {
	case t.revoked[key]:
		return revoked
	case t.trusted[key], l.cfg.AdmitPending && t.pending[key]:
		return admit
	}
	return unknown
}

// shun keeps a trusted key out for a while.
func (d *door) shun(key zsync.Key) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.shunned[key] = time.Now().Add(shunTimeout)
}

func (d *door) shuns(key zsync.Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	until, ok := d.shunned[key]
	if ok && time.Now().After(until) {
		delete(d.shunned, key)
		return false
	}
	return ok
}

// serve answers until the context ends.
func (d *door) serve(socket *zmq.Socket) {
	defer func() { _ = socket.Close() }()
	for {
		request, err := socket.RecvMessageBytes(0)
		if err != nil {
			return
		}
		if _, err := socket.SendMessage(d.answer(request)...); err != nil {
			return
		}
	}
}

// answer makes a ZAP reply: version, request id, status, text, user id, metadata.
// A request that is not as libzmq writes it is refused, never trusted.
func (d *door) answer(request [][]byte) []any {
	const version = "1.0"
	if len(request) < 6 || string(request[0]) != version {
		return []any{version, "", string(broken), "", "", ""}
	}
	id, domain, address := request[1], string(request[2]), request[3]
	mechanism, credentials := string(request[5]), request[6:]
	refusal := []any{version, id, string(broken), "", "", ""}
	l := d.link(domain)
	peer, err := netip.ParseAddr(string(address))
	if l == nil || err != nil {
		return refusal
	}
	key, ok := provenKey(l, mechanism, credentials)
	if !ok {
		return refusal
	}
	status := d.meet(l, key, peer.Unmap())
	if status != admit {
		refusal[2] = string(status)
		return refusal
	}
	return []any{version, id, string(admit), "", userID(key), numberMetadata(d.next)}
}

// provenKey returns the key of a client of l, zero in plain mode.
func provenKey(l *Link, mechanism string, credentials [][]byte) (zsync.Key, bool) {
	if l.cfg.plain() {
		return zsync.Key{}, mechanism == "NULL"
	}
	if mechanism != "CURVE" || len(credentials) != 1 || len(credentials[0]) != len(zsync.Key{}) {
		return zsync.Key{}, false
	}
	return zsync.Key(credentials[0]), true
}

// meet judges a client and tells its link of it before libzmq hears the answer:
// nothing that this connection does can precede its arrival.
func (d *door) meet(l *Link, key zsync.Key, address netip.Addr) verdict {
	status := admit
	if !l.cfg.plain() {
		status = d.trust.Load().judge(l, key)
	}
	shunned := status == admit && d.shuns(key)
	d.next++
	l.arrived(arrival{number: d.next, key: key, address: address, admitted: status == admit && !shunned})
	if shunned {
		return unknown
	}
	if status != admit {
		d.attempts.add(Attempt{Key: key, Address: address.String(), Revoked: status == revoked})
	}
	return status
}

func userID(key zsync.Key) string {
	if key.IsZero() {
		return ""
	}
	return zmq.Z85encode(string(key[:]))
}

// numberMetadata encodes one property as ZMTP does: a one-octet length and the
// name, a four-octet length and the value.
func numberMetadata(number uint64) []byte {
	value := strconv.FormatUint(number, 10)
	metadata := append([]byte{byte(len(numberProperty))}, numberProperty...)
	metadata = append(metadata, 0, 0, 0, byte(len(value)))
	return append(metadata, value...)
}
