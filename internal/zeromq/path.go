package zeromq

import (
	"maps"
	"net/netip"
	"slices"
	"time"
)

// A connection of a bulk link that is long enough is asked to send by BBR, where the
// system has it and lets a process ask. BBR goes by how much arrives and how long that
// takes; what systems use otherwise takes each lost packet for a full line, and at 0.5 %
// and 20 ms fills a tenth of one of 100 Mbit/s. On a short line there is nothing to
// gain: losses are made good at once there.
const (
	longRoundTrip = 5 * time.Millisecond // asked for at once
	hurtRoundTrip = time.Millisecond     // asked for where one segment in hurtOneIn is lost; nobody is told of shorter ones
	hurtMin       = 2
	hurtOneIn     = 1000
	// pathSegments is the least that a connection must have carried between two looks
	// for anyone to be told how it fared.
	pathSegments = 64
	// steadyControl is the congestion control that is asked for.
	steadyControl = "bbr"
)

// Path is how a connection has fared between two looks, about a second apart, in
// segments of TCP.
type Path struct {
	RoundTrip, LeastRoundTrip time.Duration // smoothed now, and the least of the last minutes
	Sent, Resent              int           // of those with data
	Received, Disordered      int           // Disordered: while another was missing before it
	Steady                    bool          // a lost segment does not slow down what is sent
}

// segments are counts of a connection's life; they wrap.
type segments struct {
	sent, resent, received, disordered uint32
}

// path watches one connection.
type path struct {
	last  segments
	asked bool // for steadyControl
}

// look returns how the connection fared since the last look, if that is worth telling.
func (p *path) look(c *Config, fd int, remote netip.AddrPort) (seen Path, ok bool) {
	if remote.Addr().IsLoopback() && !c.anyPath {
		return seen, false
	}
	now, seen, ok := pathOf(fd, remote)
	if !ok {
		return seen, false
	}
	seen.Sent, seen.Resent = int(now.sent-p.last.sent), int(now.resent-p.last.resent)
	seen.Received, seen.Disordered = int(now.received-p.last.received), int(now.disordered-p.last.disordered)
	p.last = now
	if !p.asked && (seen.gains() || c.anyPath) {
		p.asked = true
		askFor(fd, c.control)
	}
	if seen.Sent+seen.Received < pathSegments || seen.LeastRoundTrip < hurtRoundTrip && !c.anyPath {
		return seen, false
	}
	seen.Steady = isSteady(fd)
	return seen, true
}

// gains reports whether a connection would be faster if losses did not slow it down.
func (s Path) gains() bool {
	hurt := s.Resent >= hurtMin && s.Resent*hurtOneIn >= s.Sent
	return s.LeastRoundTrip >= longRoundTrip || s.LeastRoundTrip >= hurtRoundTrip && hurt
}

// lookAtPaths tells how each connection of a bulk link has fared.
func (l *Link) lookAtPaths() {
	if !l.cfg.Bulk {
		return
	}
	for _, number := range slices.Sorted(maps.Keys(l.dialled)) {
		l.dialled[number].lookAtPath()
	}
	for _, number := range slices.Sorted(maps.Keys(l.in.conns)) {
		l.in.conns[number].lookAtPath(l)
	}
}

func (d *dialled) lookAtPath() {
	if !d.link.cfg.Bulk || d.connected.IsZero() || d.socket == nil {
		return
	}
	if seen, ok := d.path.look(&d.link.cfg, d.fd, d.remote()); ok {
		f := d.fact(Fared, nil)
		f.Path = seen
		d.link.out.add(f)
	}
}

func (c *incoming) lookAtPath(l *Link) {
	if !l.cfg.Bulk || c.state != open || c.tcp == nil {
		return
	}
	if seen, ok := c.path.look(&l.cfg, c.tcp.fd, c.tcp.remote); ok {
		l.out.add(Fact{Kind: Fared, Conn: c.number, Key: c.key, Address: c.text, Path: seen})
	}
}
