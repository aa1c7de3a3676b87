package eventlog

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// folk is a small Authority with security's rule: who is a member is read from
// the membership events that the event's own chain names as its auth, and from
// what those name. The body of a member event lists the devices it adds.
type folk struct{}

var _ Forgetter = folk{}

type grant struct {
	_     struct{} `cbor:",toarray"`
	Auth  []zsync.EventID
	Added []zsync.DeviceID
}

func (folk) Forget(tx kv.Tx) {
	tx.Drop("folk-chain")
	tx.Drop("folk-grant")
}

func (f folk) Admit(tx kv.Tx, h zsync.Header, id zsync.EventID, author zsync.DeviceID, body []byte) bool {
	if h.Kind == zsync.KindGenesis {
		tx.Put("folk-grant", id[:], wire.Marshal(grant{Added: []zsync.DeviceID{author}}))
		return true
	}
	if len(h.Auth) > 0 {
		tx.Put("folk-chain", h.Writer[:], wire.Marshal(h.Auth))
	}
	auth := chainAuth(tx, h.Writer)
	if !f.member(tx, auth, author) {
		return false
	}
	if h.Kind == zsync.KindMember {
		g := grant{Auth: auth}
		for rest := body; len(rest) >= 32; rest = rest[32:] {
			g.Added = append(g.Added, zsync.DeviceID(rest[:32]))
		}
		tx.Put("folk-grant", id[:], wire.Marshal(g))
	}
	return true
}

func (f folk) Granting(tx kv.Tx, among []zsync.EventID, device zsync.DeviceID) (zsync.EventID, bool) {
	for _, id := range among {
		if f.member(tx, []zsync.EventID{id}, device) {
			return id, true
		}
	}
	return zsync.EventID{}, false
}

func chainAuth(tx kv.Tx, w zsync.WriterID) (auth []zsync.EventID) {
	if data := tx.Get("folk-chain", w[:]); data != nil {
		must(wire.Unmarshal(data, &auth))
	}
	return auth
}

func (f folk) member(tx kv.Tx, auth []zsync.EventID, d zsync.DeviceID) bool {
	for _, id := range auth {
		var g grant
		if data := tx.Get("folk-grant", id[:]); data != nil {
			must(wire.Unmarshal(data, &g))
		}
		if slices.Contains(g.Added, d) || f.member(tx, g.Auth, d) {
			return true
		}
	}
	return false
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// tester is what *testing.T and *rapid.T have in common.
type tester interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// identity is a device's signing key, made from its name.
type identity struct {
	name string
	key  ed25519.PrivateKey
}

func named(name string) identity {
	seed := sha256.Sum256([]byte("sign " + name))
	return identity{name, ed25519.NewKeyFromSeed(seed[:])}
}

func (i identity) public() ed25519.PublicKey { return i.key.Public().(ed25519.PublicKey) }

func (i identity) device() zsync.DeviceID { return zsync.DeviceOf(i.public()) }

// author makes a writer of the device in a space; incarnation tells its writers
// apart.
func (i identity) author(space zsync.SpaceID, incarnation byte) Author {
	a := Author{Device: i.public(), Incarnation: [16]byte{incarnation}}
	seed := sha256.Sum256(append(append([]byte("writer "+i.name), incarnation), space[:]...))
	a.Key = ed25519.NewKeyFromSeed(seed[:])
	a.Endorsement = ed25519.Sign(i.key, EndorsementText(space, a.public(), a.Incarnation))
	return a
}

// replica is one device's copy of a space.
type replica struct {
	t     tester
	id    identity
	store *kv.Memory
	log   *Log
}

func open(t tester, name string, store *kv.Memory, space zsync.SpaceID) *replica {
	r := &replica{t: t, id: named(name), store: store}
	r.do(func(tx kv.Tx) (err error) {
		r.log, err = Open(tx, space)
		return err
	})
	return r
}

// founded returns a new folder of the named device.
func founded(t tester, name string) *replica {
	t.Helper()
	r := &replica{t: t, id: named(name), store: kv.NewMemory()}
	r.do(func(tx kv.Tx) (err error) {
		r.log, _, err = Found(tx, Folder, r.id.author(zsync.SpaceID{}, 0), [16]byte{7}, 1000, folk{})
		return err
	})
	return r
}

// space returns a folder of the first device that the others are members of,
// each of them having all that there is.
func space(t tester, names ...string) []*replica {
	t.Helper()
	all := []*replica{founded(t, names[0])}
	var added []byte
	for _, name := range names[1:] {
		device := named(name).device()
		added = append(added, device[:]...)
		r := open(t, name, kv.NewMemory(), all[0].log.Space())
		r.log.Use(r.id.author(r.log.Space(), 0))
		all = append(all, r)
	}
	if len(added) > 0 {
		all[0].append(zsync.KindMember, added)
	}
	for _, r := range all[1:] {
		r.merge(all[0].all()...)
	}
	return all
}

func (r *replica) do(f func(kv.Tx) error) {
	r.t.Helper()
	if err := r.store.Update(f); err != nil {
		r.t.Fatal(err)
	}
}

// reopen drops the log and opens what is committed.
func (r *replica) reopen() {
	author := r.log.author
	*r = *open(r.t, r.id.name, r.store, r.log.Space())
	r.log.Use(author)
}

// restored returns the same device from a copy of its database, with the same
// keys: the way in which honest forks come about.
func (r *replica) restored() *replica {
	twin := open(r.t, r.id.name, r.store.Image(), r.log.Space())
	twin.log.Use(r.log.author)
	return twin
}

func (r *replica) append(kind zsync.Kind, body []byte) (e Event) {
	r.t.Helper()
	r.do(func(tx kv.Tx) (err error) {
		e, err = r.log.Append(tx, kind, body, 2000, folk{})
		return err
	})
	return e
}

func (r *replica) write(text string) Event {
	r.t.Helper()
	return r.append(zsync.KindFS, []byte(text))
}

func (r *replica) merge(in ...Envelope) (m Merged) {
	r.t.Helper()
	r.do(func(tx kv.Tx) (err error) {
		m, err = r.log.Merge(tx, in, folk{})
		return err
	})
	return m
}

func (r *replica) prove() (proofs []Event) {
	r.t.Helper()
	r.do(func(tx kv.Tx) (err error) {
		proofs, err = r.log.Prove(tx, 3000, folk{})
		return err
	})
	return proofs
}

// events returns all events in the total order.
func (r *replica) events() (events []Event) {
	r.t.Helper()
	r.do(func(tx kv.Tx) error {
		r.log.Each(tx, func(e Event) bool {
			e.Body = slices.Clone(e.Body)
			events = append(events, e)
			return true
		})
		return nil
	})
	return events
}

// meaning returns the ids of all events that are not void, in the total order.
func (r *replica) meaning() (ids []zsync.EventID) {
	for _, e := range r.events() {
		if !e.Void {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// all returns the envelopes of all events in the total order.
func (r *replica) all() (envelopes []Envelope) {
	for _, e := range r.events() {
		envelopes = append(envelopes, r.envelope(e))
	}
	return envelopes
}

func (r *replica) envelope(e Event) (envelope Envelope) {
	r.t.Helper()
	r.do(func(tx kv.Tx) (err error) {
		data := tx.Get(bucketLog, position(r.log.byID[e.Header.Writer], e.Header.Seq))
		envelope, err = DecodeEnvelope(bytes.Clone(data))
		return err
	})
	return envelope
}

// dump returns the whole database.
func (r *replica) dump() string {
	var out bytes.Buffer
	r.do(func(tx kv.Tx) error {
		for _, bucket := range []string{
			bucketMeta, bucketWriters, bucketLog, bucketOrder, bucketHash, bucketVoid, bucketForks, bucketHeld, bucketBeyond, bucketPark,
		} {
			tx.Scan(bucket, nil, func(key, value []byte) bool {
				out.WriteString(bucket)
				out.Write(key)
				out.Write(value)
				return true
			})
		}
		return nil
	})
	return out.String()
}

// forge signs a header for the next own event as change leaves it.
func (r *replica) forge(body string, change func(h *zsync.Header)) Envelope {
	r.t.Helper()
	w := r.log.byID[r.log.own]
	prev := w.Head.ID
	h := zsync.Header{
		Space: r.log.Space(), Writer: w.ID, Seq: w.Head.Seq + 1, Lamport: w.Head.Lamport + 1, Prev: &prev, Kind: zsync.KindFS,
	}
	change(&h)
	return seal(r.log.author, h, []byte(body)).Envelope
}

func mustMarshal(value any) []byte { return wire.Marshal(value) }
