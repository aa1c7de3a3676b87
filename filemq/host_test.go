package filemq

import (
	"crypto/sha256"
	"time"

	"github.com/zsync/zsync"
)

// host is one end: a session, what it wants and what it has.
type host struct {
	connection
	world   *world
	peer    *host
	dials   bool
	cfg     Config
	session *Session

	wanted []Item                     // not asked for
	prio   func(Item) uint8           // at which they are asked for
	asked  map[zsync.Digest]bool      // and not answered
	got    map[zsync.Digest]time.Time // verified, and when
	goal   int                        // items wanted in all
	closed []string                   // why its sessions closed
	gimmes int                        // sent in all
	hugz   int                        // sent in all
	packed int                        // items sent compressed, in all
	matter func(number uint64, size int) []byte
}

// connection is what a host knows of the current one.
type connection struct {
	lineFree time.Time // when the last frame has left
	arrival  time.Time // of the last frame at the peer
	requests []uint32  // made
	granted  int64     // credit in NOMs sent
	earned   int64     // credit in NOMs received
	sent     int64     // cost of BUKKITs sent
	disposed int64
	rations  bool // it is planned that more is shared out
}

func newHost(w *world, cfg Config, dials bool) *host {
	return &host{
		world: w, dials: dials, cfg: cfg, prio: func(Item) uint8 { return 4 }, matter: data,
		asked: make(map[zsync.Digest]bool), got: make(map[zsync.Digest]time.Time),
	}
}

func (h *host) want(items ...Item) {
	h.wanted = append(h.wanted, items...)
	h.goal += len(items)
}

func (h *host) done() bool { return len(h.got) == h.goal }

// carryOut does what the session wants, checks what it may want, and asks for
// more.
func (h *host) carryOut() {
	w := h.world
	if w.chance(20) { // it looks at every item
		checkSession(w.t, h.session)
	}
	h.ration()
	out := h.session.Output()
	for _, frame := range out.Send {
		h.transmit(frame)
	}
	for _, read := range out.Reads {
		w.after(w.upTo(w.faults.disk), func() { h.read(read) })
	}
	h.answered(out)
	h.checkLedger()
	switch {
	case out.Closed != "":
		h.closed = append(h.closed, out.Closed)
		w.after(h.arrival.Sub(w.now), w.disconnect)
	case h.ask() || h.meddle():
		h.carryOut()
	}
}

// ration shares out some of what may be shared out, and the rest later.
func (h *host) ration() {
	w := h.world
	for h.cfg.Rationed && h.session.Next() > 0 && !w.chance(100) {
		h.session.Order()
	}
	if credit := h.session.Owed(); h.cfg.Rationed && credit > 0 && !w.chance(100) {
		h.session.Grant(w.now, 1+w.random.Int64N(credit))
	}
	if !h.rations && h.session.Next()+h.session.Owed() > 0 {
		h.rations = true
		w.after(time.Millisecond, func() {
			h.rations = false
			h.carryOut()
		})
	}
}

// checkLedger is invariant 1, from what was seen on the wire.
func (h *host) checkLedger() {
	window := &h.session.fetcher.window
	switch {
	case h.sent+h.session.provider.purse.reserved > h.earned:
		h.world.t.Fatalf("sent %d with credit for %d", h.sent, h.earned)
	case h.session.state == open && h.granted-window.disposed > window.size:
		h.world.t.Fatalf("granted %d, disposed of %d", h.granted, window.disposed)
	case h.session.state == open && window.disposed < h.disposed:
		h.world.t.Fatalf("disposed of %d, known of %d", h.disposed, window.disposed)
	}
}

func (h *host) transmit(frame []byte) {
	w := h.world
	h.lineFree = later(w.now, h.lineFree).Add(time.Duration(len(frame)) * w.faults.kibibyte / 1024)
	h.arrival = later(h.lineFree.Add(w.faults.latency+w.upTo(w.faults.jitter)), h.arrival)
	c, err := Decode(frame)
	if err != nil {
		w.t.Fatalf("a session wrote %x: %v", frame, err)
	}
	h.count(c)
	w.after(h.arrival.Sub(w.now), func() {
		if grant, ok := c.(Nom); ok {
			h.peer.earned += int64(grant.Credit)
		}
		h.peer.session.Received(w.now, frame)
		h.peer.carryOut()
	})
}

func (h *host) count(c Command) {
	switch c := c.(type) {
	case Nom:
		h.granted += int64(c.Credit)
	case Bukkit:
		for _, item := range c.Items {
			h.sent += h.peer.session.fetcher.costOf(c.Req, item)
			if item.Compressed {
				h.packed++
			}
		}
	case Gimme:
		h.gimmes++
	case Hugz:
		h.hugz++
	case Rtfm:
		if c.Reason != string(errBadItems) {
			h.world.t.Fatalf("a session found fault with another: %s", c.Reason)
		}
	}
}

// read answers a Read, rightly or not.
func (h *host) read(read Read) {
	w, octets := h.world, h.matter(read.Offset, int(read.Size))
	switch {
	case w.fault(w.faults.refuse):
		h.session.Refused(w.now, read.Req, read.Index, CodeRead)
	case w.fault(w.faults.corrupt):
		octets[len(octets)-1] ^= 1
		h.session.Supplied(w.now, read.Req, read.Index, octets)
	case w.fault(w.faults.corrupt):
		h.session.Supplied(w.now, read.Req, read.Index, octets[1:])
	default:
		h.session.Supplied(w.now, read.Req, read.Index, octets)
	}
	h.carryOut()
}

// answered takes the answers of a session. Each item that was asked for has
// exactly one, and none that was verified is asked for again.
func (h *host) answered(out Output) {
	for _, missing := range out.Missing {
		h.settle(missing.Item)
		if missing.Code == CodeQueueFull {
			h.world.t.Fatalf("two honest ends count differently")
		}
		h.wanted = append(h.wanted, missing.Item)
	}
	for _, got := range out.Got {
		h.settle(got.Item)
		good := sha256.Sum256(got.Data) == got.Item.Hash
		if good {
			h.got[got.Item.Hash] = h.world.now
		} else {
			h.wanted = append(h.wanted, got.Item)
		}
		h.world.after(h.world.upTo(h.world.faults.disk), func() { h.dispose(good, got.Cost) })
	}
}

func (h *host) dispose(good bool, cost int64) {
	if !good {
		h.session.BadItem(h.world.now)
	}
	h.disposed += cost
	h.session.Disposed(h.world.now, cost)
	h.carryOut()
}

func (h *host) settle(item Item) {
	if !h.asked[item.Hash] {
		h.world.t.Fatalf("item %d was answered but not asked for", item.Offset)
	}
	delete(h.asked, item.Hash)
}

// ask requests what is wanted, a run of one priority a request, whenever half
// the queue is free.
func (h *host) ask() (asked bool) {
	for len(h.wanted) > 0 && h.session.Room() >= h.session.agreed.queueMax/2 {
		n, prio := 1, h.prio(h.wanted[0])
		for n < min(len(h.wanted), RequestItemsMax, h.session.Room()) && h.prio(h.wanted[n]) == prio {
			n++
		}
		items := h.wanted[:n:n]
		h.wanted = h.wanted[n:]
		req, ok := h.session.Request(h.world.now, Request{Space: testSpace, Prio: prio, Items: items})
		if !ok {
			h.world.t.Fatalf("no room for %d items after all", n)
		}
		for _, item := range items {
			h.asked[item.Hash] = true
		}
		h.requests = append(h.requests, req)
		asked = true
	}
	return asked
}

// meddle cancels or hurries some request, open or not.
func (h *host) meddle() bool {
	w := h.world
	if len(h.requests) == 0 {
		return false
	}
	req := h.requests[w.random.IntN(len(h.requests))]
	cancel, bump := w.fault(w.faults.cancel), w.fault(w.faults.bump)
	if cancel {
		h.session.Cancel(w.now, req)
	}
	if bump {
		h.session.Bump(w.now, req, uint8(w.random.IntN(8)))
	}
	return cancel || bump
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
