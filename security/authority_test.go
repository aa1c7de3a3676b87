package security_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// The two packages do not know each other; here they meet.
var (
	_ eventlog.Authority = (*security.Members)(nil)
	_ eventlog.Forgetter = (*security.Members)(nil)
)

// device is one device's copy of a space.
type device struct {
	t        *testing.T
	keys     *security.Keys
	store    *kv.Memory
	members  *security.Members
	log      *eventlog.Log
	exchange *eventlog.Exchange
}

func newDevice(t *testing.T) *device {
	t.Helper()
	keys, err := security.GenerateKeys(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &device{t: t, keys: keys, store: kv.NewMemory()}
}

func (d *device) cert(name string) security.Certificate { return d.keys.Certify(name, 1) }

// author is what the device signs with in a space; zero for a genesis.
func (d *device) author(space zsync.SpaceID) eventlog.Author {
	writer := d.keys.WriterKey(space, [16]byte{1})
	text := eventlog.EndorsementText(space, writer.Public().(ed25519.PublicKey), [16]byte{1})
	return eventlog.Author{
		Device: d.keys.SignPublic(), Incarnation: [16]byte{1}, Key: writer, Endorsement: d.keys.Sign(text),
	}
}

func (d *device) update(f func(tx kv.Tx) error) {
	d.t.Helper()
	if err := d.store.Update(f); err != nil {
		d.t.Fatal(err)
	}
}

// found founds a space and makes the founder known by its certificate.
func (d *device) found() zsync.SpaceID {
	d.t.Helper()
	d.update(func(tx kv.Tx) (err error) {
		d.members = security.OpenMembers(tx)
		d.log, _, err = eventlog.Found(tx, eventlog.Circle, d.author(zsync.SpaceID{}), [16]byte{7}, 1, d.members)
		return err
	})
	d.exchange = eventlog.NewExchange(d.log, d.members, d.keys.Device())
	return d.log.Space()
}

// join opens a space of which nothing but its id is known.
func (d *device) join(space zsync.SpaceID) {
	d.t.Helper()
	d.update(func(tx kv.Tx) (err error) {
		d.members = security.OpenMembers(tx)
		d.log, err = eventlog.Open(tx, space)
		return err
	})
	d.log.Use(d.author(space))
	d.exchange = eventlog.NewExchange(d.log, d.members, d.keys.Device())
}

func (d *device) say(kind zsync.Kind, body []byte) (ev eventlog.Event) {
	d.t.Helper()
	d.update(func(tx kv.Tx) (err error) {
		ev, err = d.log.Append(tx, kind, body, 1, d.members)
		return err
	})
	return ev
}

func (d *device) right(of *device) (right security.Right) {
	d.t.Helper()
	d.update(func(tx kv.Tx) error {
		right = d.members.Right(tx, of.keys.Device())
		return nil
	})
	return right
}

// isVoid reports how the device judged an event that it holds.
func (d *device) isVoid(id zsync.EventID) (void bool) {
	d.t.Helper()
	d.update(func(tx kv.Tx) error {
		ev, held := d.log.Event(tx, id)
		if !held {
			d.t.Fatal("the event did not come")
		}
		void = ev.Void
		return nil
	})
	return void
}

// exchangeAll links two devices until neither has anything more to say.
func exchangeAll(a, b *device) {
	now := time.Unix(1_700_000_000, 0)
	ends := []*device{a, b}
	for i, end := range ends {
		end.update(func(tx kv.Tx) error {
			end.exchange.Linked(tx, now, ends[1-i].keys.Device())
			return nil
		})
	}
	for range 100 {
		for i, end := range ends {
			now = now.Add(100 * time.Millisecond)
			var out eventlog.ExchangeOutput
			end.update(func(tx kv.Tx) error {
				end.exchange.Advance(tx, now)
				out = end.exchange.Output()
				return nil
			})
			for _, m := range append(out.Whisper, out.Shout...) {
				ends[1-i].update(func(tx kv.Tx) error {
					_, err := ends[1-i].exchange.Received(tx, now, end.keys.Device(), m.Type, m.Body)
					return err
				})
			}
		}
	}
	for i, end := range ends {
		end.exchange.Unlinked(now, ends[1-i].keys.Device())
	}
}

func TestMembersOfALogThatIsPassedOnAreAdmittedEverywhere(t *testing.T) {
	laptop, box, phone, stranger := newDevice(t), newDevice(t), newDevice(t), newDevice(t)
	space := laptop.found()
	laptop.say(zsync.KindMember, security.AddBody(security.RightAdmin, laptop.cert("laptop"), box.cert("box")))
	box.join(space)
	exchangeAll(laptop, box)

	// The box adds the phone, which has never met the laptop.
	box.say(zsync.KindMember, security.AddBody(security.RightFull, phone.cert("phone")))
	phone.join(space)
	exchangeAll(box, phone)
	said := phone.say(zsync.KindFolder, []byte("a claim"))
	exchangeAll(phone, box)
	exchangeAll(box, laptop)

	stranger.join(space)
	exchangeAll(laptop, stranger)
	stolen := stranger.say(zsync.KindMember, security.AddBody(security.RightAdmin, stranger.cert("stranger")))
	exchangeAll(stranger, laptop)
	exchangeAll(laptop, box)

	for _, d := range []*device{laptop, box} {
		if d.isVoid(said.ID) {
			t.Error("what a member said is void")
		}
		if !d.isVoid(stolen.ID) {
			t.Error("a stranger made itself a member")
		}
		for of, want := range map[*device]security.Right{
			laptop: security.RightAdmin, box: security.RightAdmin, phone: security.RightFull, stranger: security.RightNone,
		} {
			if got := d.right(of); got != want {
				t.Errorf("a right is %v, want %v", got, want)
			}
		}
	}
	if laptop.log.Frontier() != box.log.Frontier() {
		t.Error("the two logs differ")
	}
}
