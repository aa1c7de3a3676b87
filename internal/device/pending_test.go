package device_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	codec "github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// guest is a device that is heard by the link of another frame by frame.
type guest struct {
	keys     *security.Keys
	conn     zre.Conn
	sequence uint16
}

func (g *guest) says(id zre.CommandID, group string, content ...byte) device.NetFact {
	g.sequence++
	c := zre.Command{ID: id, Sequence: g.sequence, Group: group, Status: uint8(g.sequence)}
	if id == zre.CommandHello {
		c.Endpoint, c.Groups = "tcp://10.0.0.9:7001", []string{group}
		c.Headers = []zre.Header{{Name: "X-ZSYNC", Value: "1;transfer=7002"}, {Name: "X-PUBLICKEY", Value: z85(g.keys.Key())}}
	}
	if content != nil {
		c.Content = [][]byte{content}
	}
	return device.NetFact{
		Kind: device.NetReceived, Conn: g.conn, Key: g.keys.Key(), Address: "10.0.0.9",
		Identity: append([]byte{1, 9}, make([]byte, 15)...), Frames: c.Frames(),
	}
}

// z85 writes a key as 32/Z85 does.
func z85(key zsync.Key) (text string) {
	const alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
	for part := range slices.Chunk(key[:], 4) {
		value := uint32(part[0])<<24 | uint32(part[1])<<16 | uint32(part[2])<<8 | uint32(part[3])
		for divisor := uint32(85 * 85 * 85 * 85); divisor > 0; divisor /= 85 {
			text += string(alphabet[value/divisor%85])
		}
	}
	return text
}

// host is a device in one space, whose link has a guest.
func host(t *testing.T) (s *stage, a *actor, g *guest, group string) {
	s = &stage{t: t, now: begin, actors: map[string]*actor{}, names: map[zsync.SpaceID]string{}}
	a = s.actor("A")
	g = &guest{keys: s.actor("B").keys, conn: firstIncoming + 1}
	a.link, _ = device.NewLinkMachine(s.now, device.LinkConfig{
		Keys: a.keys, Certificate: a.cert, UUID: zre.UUID{1}, Name: "A", Endpoint: "tcp://10.0.0.1:7001", TransferPort: 7002, Trust: a.trust,
	})
	space := s.space("Photos")
	a.link.Handle(s.now, []any{device.Pair{Key: g.keys.Key()}, device.Enter{Space: space}})
	return s, a, g, fmt.Sprintf("zsync-%x", space[:])
}

func effectsOf[T any](effects []device.Effect) (all []T) {
	for _, e := range effects {
		if what, ok := e.What.(T); ok {
			all = append(all, what)
		}
	}
	return all
}

func TestAPendingKeyIsToldNothingAndHeardOnlyToProveItself(t *testing.T) {
	s, a, g, group := host(t)
	heads := append([]byte{1, 1}, bodyOf(s.space("Photos"))...)
	effects := a.link.Handle(s.now, []any{device.MailboxFacts{
		g.says(zre.CommandHello, group), g.says(zre.CommandJoin, group), g.says(zre.CommandShout, group, heads...),
		g.says(zre.CommandElect, group), g.says(zre.CommandWhisper, "", heads...),
	}})
	if linked, heard := effectsOf[device.Linked](effects), effectsOf[device.Heard](effects); len(linked)+len(heard) > 0 {
		t.Errorf("a machine was told %v %v", linked, heard)
	}
	for _, orders := range effectsOf[device.NetOrders](effects) {
		if len(orders.Dial) > 0 {
			t.Errorf("dialled %v", orders.Dial)
		}
		for _, send := range orders.Send {
			if c, err := zre.ParseCommand(send.Frames); err != nil || len(c.Groups) > 0 || c.Group != "" {
				t.Errorf("told it %+v, %v", c, err)
			}
		}
	}
	if got := a.link.Status().Ignored; got != 4 {
		t.Errorf("ignored %d messages, want 4", got)
	}
}

func TestWhatFollowsACertificateInTheSameTurnIsHeard(t *testing.T) {
	s, a, g, group := host(t)
	heads := append([]byte{1, 1}, bodyOf(s.space("Photos"))...)
	effects := a.link.Handle(s.now, []any{device.MailboxFacts{
		g.says(zre.CommandHello, group), g.says(zre.CommandWhisper, "", certOf(s.actor("B"))...), g.says(zre.CommandShout, group, heads...),
	}})
	if linked, heard := effectsOf[device.Linked](effects), effectsOf[device.Heard](effects); len(linked) != 1 || len(heard) != 1 {
		t.Errorf("linked %d times, heard %d messages", len(linked), len(heard))
	}
	groups := 0
	for _, orders := range effectsOf[device.NetOrders](effects) {
		for _, send := range orders.Send {
			if c, err := zre.ParseCommand(send.Frames); err == nil && c.ID == zre.CommandJoin && c.Group == group {
				groups++
			}
		}
	}
	if groups != 1 {
		t.Errorf("it was told %d groups", groups)
	}
}

// certOf is a CERT message: version, type, and the certificate alone.
func certOf(b *actor) []byte {
	return append([]byte{1, 7, 0xa1, 1}, b.cert.Encoded...)
}

func TestAFloodOfCertificatesIsLookedAtOnceASecond(t *testing.T) {
	s, a, g, group := host(t)
	broken := []byte{1, 7, 0xff}
	flood := func(n int) int64 {
		before := a.link.Status().Ignored
		facts := device.MailboxFacts{}
		for range n {
			facts = append(facts, g.says(zre.CommandWhisper, "", broken...))
		}
		a.link.Handle(s.now, []any{facts})
		return a.link.Status().Ignored - before
	}
	a.link.Handle(s.now, []any{device.MailboxFacts{g.says(zre.CommandHello, group)}})
	if got := flood(100); got != 92 {
		t.Errorf("ignored %d of 100 at once, want 92", got)
	}
	s.now = s.now.Add(3 * time.Second)
	if got := flood(100); got != 97 {
		t.Errorf("ignored %d of 100 three seconds later, want 97", got)
	}
}

func TestAKeyThatWasPendingForTooLongIsHungUp(t *testing.T) {
	s, a, g, group := host(t)
	s.now = s.now.Add(security.PendingFor - time.Second)
	a.link.Handle(s.now, []any{device.MailboxFacts{g.says(zre.CommandHello, group)}})
	s.now = s.now.Add(time.Second)
	effects := a.link.Handle(s.now, nil)
	hung := slices.ContainsFunc(effectsOf[device.NetOrders](effects), func(o device.NetOrders) bool { return slices.Contains(o.Hangup, g.conn) })
	if !hung || len(a.link.Status().Peers) > 0 {
		t.Errorf("hung up: %t, peers %v", hung, a.link.Status().Peers)
	}
}

func TestADeviceThatTheLogGaveAnotherNameIsLinkedAnewWhenItShowsItsOwn(t *testing.T) {
	s, a, g, group := host(t)
	other, own := s.actor("C").keys, s.actor("B")
	named := certificateOf(t, other, g.keys.Key()) // whoever writes to the circle's log can name any key
	a.trust.Expire(s.now.Add(2 * security.PendingFor))
	must(t, a.trust.Enrol(s.now, named))
	effects := a.link.Handle(s.now, []any{device.MailboxFacts{g.says(zre.CommandHello, group)}})
	if linked := effectsOf[device.Linked](effects); len(linked) != 1 || linked[0].Peer.Device() != other.Device() {
		t.Fatalf("linked %v", linked)
	}
	effects = a.link.Handle(s.now, []any{device.MailboxFacts{g.says(zre.CommandWhisper, "", certOf(own)...)}})
	linked, unlinked := effectsOf[device.Linked](effects), effectsOf[device.Unlinked](effects)
	if len(unlinked) != 1 || unlinked[0].Device != other.Device() || len(linked) != 1 || linked[0].Peer.Device() != g.keys.Device() {
		t.Errorf("unlinked %v, linked %v", unlinked, linked)
	}
}

// certificateOf has a device claim the key of another.
func certificateOf(t *testing.T, keys *security.Keys, key zsync.Key) security.Certificate {
	t.Helper()
	text := codec.Marshal(map[uint64]any{1: key[:], 2: []byte(keys.SignPublic()), 3: make([]byte, 32), 4: "squatter", 5: uint64(1)})
	sig := keys.Sign(append([]byte("zsync/certificate/1\x00"), text...))
	cert, err := security.ParseCertificate(codec.Marshal(map[uint64]any{1: text, 2: sig}))
	must(t, err)
	return cert
}
