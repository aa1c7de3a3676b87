package eventlog

import (
	"errors"
	"slices"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

func TestAnEventThatIsAsItWasSignedIsVerifiedAndOneThatIsNotIsFound(t *testing.T) {
	all := space(t, "ada", "bob")
	r := all[1]
	ev := r.append(zsync.KindFS, []byte("the body"))
	verify := func(id zsync.EventID) (got Event, err error) {
		r.do(func(tx kv.Tx) error { got, err = r.log.Verify(tx, id); return nil })
		return got, err
	}
	if got, err := verify(ev.ID); err != nil || got.ID != ev.ID || got.Author != named("bob").device() {
		t.Fatalf("%+v, %v", got, err)
	}
	w, seq, _ := locate(r, ev.ID)
	for name, spoil := range map[string]func(e *Envelope){
		"signature": func(e *Envelope) { e.Sig[0] ^= 1 },
		"body":      func(e *Envelope) { e.Body[0] ^= 1 },
		"header":    func(e *Envelope) { e.Header[len(e.Header)-2] ^= 1 },
	} {
		whole := r.store.Image()
		r.do(func(tx kv.Tx) error {
			e, err := DecodeEnvelope(slices.Clone(tx.Get(bucketLog, position(w, seq))))
			spoil(&e)
			tx.Put(bucketLog, position(w, seq), e.Encode())
			return err
		})
		if _, err := verify(ev.ID); err == nil {
			t.Errorf("%s: not seen", name)
		}
		r.store = whole
	}
	if _, err := verify(zsync.EventID{1}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("an event that is not there: %v", err)
	}
}

func locate(r *replica, id zsync.EventID) (w *writer, seq uint64, found bool) {
	r.do(func(tx kv.Tx) error { w, seq, found = r.log.find(tx, id); return nil })
	return w, seq, found
}

func TestEventsAreFoundByTheirFirstDigitsAndReadFromAPlaceOn(t *testing.T) {
	r := space(t, "ada")[0]
	var ids []zsync.EventID
	for range 5 {
		ids = append(ids, r.append(zsync.KindFS, []byte("x")).ID)
	}
	r.do(func(tx kv.Tx) error {
		for _, id := range ids {
			for _, digits := range []string{id.String()[:9], id.String()[:32], id.String()[:33], id.String()} {
				if found, err := r.log.WithPrefix(tx, digits, 9); err != nil || len(found) != 1 || found[0] != id {
					t.Errorf("%s: %v, %v", digits, found, err)
				}
			}
		}
		if found, err := r.log.WithPrefix(tx, "", 3); err != nil || len(found) != 3 {
			t.Errorf("the first of all: %v, %v", found, err)
		}
		if _, err := r.log.WithPrefix(tx, "xy", 3); err == nil {
			t.Error("these are no digits")
		}
		var after zsync.Stamp
		n := 0
		for more := true; more; n++ {
			more = false
			r.log.EachAfter(tx, after, func(e Event) bool {
				after, more = e.Header.Stamp(0), true
				return false
			})
		}
		if n != 1+5+1 {
			t.Errorf("%d readings", n)
		}
		return nil
	})
}
