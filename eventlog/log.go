package eventlog

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

var (
	// ErrNoGenesis is returned for an own event in a log that has not got its
	// genesis yet.
	ErrNoGenesis = errors.New("eventlog: the space's genesis is not here yet")
	// ErrNoAuthor is returned for an own event before [Log.Use].
	ErrNoAuthor = errors.New("eventlog: no author to sign with")
	// ErrForked is returned for an own event of a writer that was cut: the
	// device must open another one.
	ErrForked = errors.New("eventlog: the own writer is forked")
	// ErrWriters is returned for an own event of a device that has opened as many
	// writers as one may have, when it would take another one.
	// It wraps ErrRefused.
	ErrWriters = fmt.Errorf("%w: this device has opened too many writers in the space", ErrRefused)
	// ErrRefused is returned for an own event that no device would take.
	ErrRefused = errors.New("eventlog: not an event")
	// ErrOccupied is returned where the database holds another log already.
	ErrOccupied = errors.New("eventlog: the database holds another log")
	// ErrCorrupt is returned for a database that cannot have been written by
	// this package.
	ErrCorrupt = errors.New("eventlog: corrupt database")
)

// The buckets of a log.
const (
	bucketMeta    = "meta"
	bucketWriters = "writers"
	bucketLog     = "log"
	bucketOrder   = "order"
	bucketHash    = "hash"
	bucketVoid    = "void"
	bucketForks   = "forks"
	bucketHeld    = "held"
	bucketBeyond  = "beyond"
	bucketPark    = "park"
)

// Forget empties a database of the log in it. Who is a member goes with
// [Members].Forget.
func Forget(tx kv.Tx) {
	for _, bucket := range []string{
		bucketMeta, bucketWriters, bucketLog, bucketOrder, bucketHash, bucketVoid, bucketForks, bucketHeld, bucketBeyond, bucketPark,
	} {
		tx.Drop(bucket)
	}
}

// metaKey holds the one record of bucket meta.
const metaKey = "log"

const (
	// writersMax bounds the writers of a space, so that a whole frontier fits one
	// message. A space that reaches it takes no new writers.
	writersMax = 1 << 14
	// deviceWritersMax bounds those of one device, so that none takes the room of
	// the others. It is format: which of more writers count is the same everywhere.
	deviceWritersMax = 256
)

// schema is raised when a bucket changes its form.
const schema = 1

// meta is what a log remembers besides its events.
type meta struct {
	_       struct{} `cbor:",toarray"`
	Schema  uint64
	Space   zsync.SpaceID
	Founder zsync.DeviceID  // zero: the genesis is not here
	Members []zsync.EventID // membership frontier, ascending: admitted events that no other names in its auth
}

// Log is the log of one space. It is used by one goroutine, within transactions
// on one database.
type Log struct {
	meta    meta
	writers []*writer // by index
	byID    map[zsync.WriterID]*writer
	sorted  []*writer // ascending by id
	parking parking

	frontier  [16]byte
	unchanged bool // frontier is that of the writers

	expected Type   // of the space; zero: any
	verify   Verify // nil: ed25519.Verify

	author Author
	own    zsync.WriterID // zero before Use
	lost   zsync.WriterID // the own writer, once an event of it that is not here came from elsewhere

	patient  bool // cuts that cost much are held once there were too many
	cutsLeft int  // those that are not
	held     bool // there are some

	nameable []zsync.EventID // what the next own event can name of a frontier that is too wide; nil: not known
}

// Head is where the chain of one writer ends for the frontier.
type Head struct {
	Writer  zsync.WriterID
	Device  zsync.DeviceID
	Seq     uint64
	ID      zsync.EventID
	Lamport uint64
	Cut     bool // a fork was proven; nothing follows
}

// Open reads the log of space. A database without one is an empty log, which
// the space's genesis and all else can be merged into; nothing is written yet.
func Open(tx kv.Tx, space zsync.SpaceID) (*Log, error) {
	l := &Log{byID: make(map[zsync.WriterID]*writer)}
	l.meta = meta{Schema: schema, Space: space}
	if data := tx.Get(bucketMeta, []byte(metaKey)); data != nil {
		if err := wire.Unmarshal(data, &l.meta); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
	}
	switch {
	case l.meta.Schema != schema:
		return nil, fmt.Errorf("%w: schema %d, this program reads %d", ErrCorrupt, l.meta.Schema, schema)
	case l.meta.Space != space:
		return nil, fmt.Errorf("%w: of space %s", ErrOccupied, l.meta.Space)
	}
	if err := l.openWriters(tx); err != nil {
		return nil, err
	}
	l.openHeld(tx)
	return l, l.parking.open(tx)
}

// Expect says what the space has to be for. A genesis of another type is then
// refused as malformed, so that the log never begins: whoever named the space
// cannot have a folder taken for a circle, or the other way round.
func (l *Log) Expect(t Type) { l.expected = t }

// Verify reports whether a signature of a text is by a key, and judges as
// [ed25519.Verify] does.
type Verify func(key ed25519.PublicKey, text, signature []byte) bool

// VerifyWith has the signatures of events that come be judged by verify: for several
// logs in one process, which need not each judge the same event anew.
func (l *Log) VerifyWith(verify Verify) { l.verify = verify }

// signed reports whether an event that came is signed by key.
func (l *Log) signed(r *read, key ed25519.PublicKey) bool {
	if l.verify == nil {
		return r.signedBy(key)
	}
	return l.verify(key, signatureText(r.Header), r.Sig)
}

// Space returns the id of the log's space.
func (l *Log) Space() zsync.SpaceID { return l.meta.Space }

// HasGenesis reports whether the event that founds the space is here.
func (l *Log) HasGenesis() bool { return !l.meta.Founder.IsZero() }

// Founder returns the device that founded the space; zero without a genesis.
func (l *Log) Founder() zsync.DeviceID { return l.meta.Founder }

// Writer returns the writer that own events are signed with; zero before
// [Log.Use]. It may not be open yet.
func (l *Log) Writer() zsync.WriterID { return l.own }

// OwnForked reports whether the own writer was cut, so that this device needs a
// new one: see [Log.Use].
func (l *Log) OwnForked() bool {
	w := l.byID[l.own]
	return w != nil && w.forked()
}

// OwnLost reports whether an event of the own writer that was not here came from
// elsewhere, signed: this device's state is older than what it has published,
// and it needs a new writer: see [Log.Use].
func (l *Log) OwnLost() bool { return l.lost != zsync.WriterID{} && l.lost == l.own }

// Heads returns the end of each chain, ascending by writer, without those that
// were cut before their first event.
func (l *Log) Heads() []Head {
	heads := make([]Head, 0, len(l.sorted))
	for _, w := range l.sorted {
		if w.End.Seq == 0 {
			continue
		}
		heads = append(heads, Head{
			Writer: w.ID, Device: w.Device, Seq: w.End.Seq, ID: w.End.ID, Lamport: w.End.Lamport, Cut: w.forked(),
		})
	}
	return heads
}

// Frontier returns the digest of all heads. Two logs of one space that return
// the same hold the same events that count.
func (l *Log) Frontier() [16]byte {
	if l.unchanged {
		return l.frontier
	}
	text := []byte("zsync/frontier/1\x00")
	for _, w := range l.sorted {
		if w.End.Seq == 0 {
			continue
		}
		text = binary.BigEndian.AppendUint64(append(text, w.ID[:]...), w.End.Seq)
		text = append(text, w.End.ID[:]...)
	}
	sum := sha256.Sum256(text)
	l.frontier, l.unchanged = [16]byte(sum[:16]), true
	return l.frontier
}

// MaxLamport returns the highest Lamport time of all heads.
func (l *Log) MaxLamport() uint64 {
	highest := uint64(0)
	for _, w := range l.sorted {
		highest = max(highest, w.End.Lamport)
	}
	return highest
}

func (l *Log) saveMeta(tx kv.Tx) { tx.Put(bucketMeta, []byte(metaKey), wire.Marshal(&l.meta)) }

// insert adds a writer that has no events yet.
func (l *Log) insert(w *writer) {
	w.index = uint32(len(l.writers))
	l.writers = append(l.writers, w)
	l.adopt(w)
}

func (l *Log) adopt(w *writer) {
	l.byID[w.ID] = w
	at, _ := slices.BinarySearchFunc(l.sorted, w.ID, func(w *writer, id zsync.WriterID) int { return w.ID.Compare(id) })
	l.sorted = slices.Insert(l.sorted, at, w)
}
