package device

import (
	"crypto/ed25519"
	"crypto/sha256"
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// draws hands out random octets from a seed given at the start, so that a
// machine rolls no dice of its own.
type draws struct {
	seed  [32]byte
	count uint64
}

func (d *draws) next() (octets [16]byte) {
	d.count++
	sum := sha256.Sum256(fmt.Appendf(d.seed[:], "/draw/%d", d.count))
	copy(octets[:], sum[:])
	return octets
}

// authorFor makes what a device signs with in a space; the zero space is for a
// genesis.
func authorFor(keys *security.Keys, id zsync.SpaceID, incarnation [16]byte, reason uint64) eventlog.Author {
	writer := keys.WriterKey(id, incarnation)
	return eventlog.Author{
		Device:      keys.SignPublic(),
		Incarnation: incarnation,
		Key:         writer,
		Endorsement: keys.Sign(eventlog.EndorsementText(id, writer.Public().(ed25519.PublicKey), incarnation)),
		Reason:      reason,
	}
}

// found writes the genesis. Where the database was lost, it is the same again, and
// the only event of its writer that this device may write: what came after it has
// been said, and this device no longer knows what it was.
func (s *space) found(tx kv.Tx, cfg spaceConfig, f Founding) error {
	author := authorFor(s.keys, zsync.SpaceID{}, f.Incarnation, 0)
	log, _, err := eventlog.Found(tx, cfg.kind, author, f.Nonce, wallMS(f.Wall), s.members)
	if err != nil {
		return err
	}
	if log.Space() != s.id {
		return fmt.Errorf("device: founding of space %s gave %s", s.id, log.Space())
	}
	s.log = log
	if !cfg.entered {
		tx.Put(bucketDevice, []byte(keyIncarnation), f.Incarnation[:])
		putMark(tx, bucketDevice, keyLoss, cfg.loss)
	}
	return nil
}

// introduce names the founder with its certificate, so that whoever reads the log
// knows its keys.
func (s *space) introduce(tx kv.Tx, cfg spaceConfig) error {
	_, err := s.log.Append(tx, zsync.KindMember, security.AddBody(security.RightAdmin, cfg.cert), wallMS(cfg.founding.Wall), s.members)
	return err
}

// chooseAuthor takes up the incarnation that the database knows, or a new one
// where there is none, or where state was lost since it was chosen. The founder's
// first writer has its key from the zero space.
func (s *space) chooseAuthor(tx kv.Tx, cfg spaceConfig) {
	kept := tx.Get(bucketDevice, []byte(keyIncarnation))
	knows := len(kept) == len(Mark{})
	lost := getMark(tx, bucketDevice, keyLoss) != cfg.loss
	if !knows {
		lost = cfg.entered
	}
	if lost || !knows {
		s.reincarnate(tx, lost)
		putMark(tx, bucketDevice, keyLoss, cfg.loss)
		return
	}
	incarnation := [16]byte(kept)
	if founding := cfg.founding; founding != nil && incarnation == founding.Incarnation {
		s.author = authorFor(s.keys, zsync.SpaceID{}, incarnation, 0)
	} else {
		reason := uint64(0)
		if tx.Get(bucketDevice, []byte(keyRestored)) != nil {
			reason = 1
		}
		s.author = authorFor(s.keys, s.id, incarnation, reason)
	}
	s.log.Use(s.author)
}

func getMark(tx kv.Tx, bucket, key string) (m Mark) {
	copy(m[:], tx.Get(bucket, []byte(key)))
	return m
}

func putMark(tx kv.Tx, bucket, key string, m Mark) {
	if m == (Mark{}) {
		tx.Delete(bucket, []byte(key))
		return
	}
	tx.Put(bucket, []byte(key), m[:])
}

// reincarnate gives this device a new writer in the space: whatever the old one
// may have said elsewhere, this one has said nothing yet.
func (s *space) reincarnate(tx kv.Tx, restored bool) {
	incarnation := s.draws.next()
	reason := uint64(0)
	if restored {
		reason = 1
		tx.Put(bucketDevice, []byte(keyRestored), []byte{1})
	}
	tx.Put(bucketDevice, []byte(keyIncarnation), incarnation[:])
	s.author = authorFor(s.keys, s.id, incarnation, reason)
	s.log.Use(s.author)
}
