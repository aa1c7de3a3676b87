package replica

import (
	"encoding/binary"
	"fmt"

	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// bucketIntents holds the batch under way: place in the batch u32 -> intent. It
// is written before the first change and emptied with the D that follows.
const bucketIntents = "intents"

// intent is a step as it is stored.
type intent struct {
	Change store.Change `cbor:"1,keyasint"`
	Key    []byte       `cbor:"2,keyasint"`           // disk key of what is changed
	After  []byte       `cbor:"3,keyasint,omitempty"` // onDisk …
	Become []byte       `cbor:"4,keyasint,omitempty"` // … and its disk key; absent: nothing is left
	Made   bool         `cbor:"5,keyasint,omitempty"`
}

func putIntent(tx kv.Tx, index int, s *step) {
	in := intent{Change: s.change, Key: s.key.encode(), Made: s.made}
	if s.after != nil {
		in.After, in.Become = s.after.encode(), s.after.key.encode()
	}
	tx.Put(bucketIntents, binary.BigEndian.AppendUint32(nil, uint32(index)), wire.Marshal(in))
}

// intents returns what was under way when this device stopped.
func intents(tx kv.Tx) (steps []step) {
	tx.Scan(bucketIntents, nil, func(_, value []byte) bool {
		s, err := decodeIntent(value)
		if err != nil {
			tx.Fail(fmt.Errorf("replica: intent: %w", err))
			return false
		}
		steps = append(steps, s)
		return true
	})
	return steps
}

func decodeIntent(value []byte) (s step, err error) {
	var in intent
	if err := wire.Unmarshal(value, &in); err != nil {
		return s, err
	}
	s.change, s.made = in.Change, in.Made
	if s.key, err = parseDiskKey(in.Key); err != nil || in.After == nil {
		return s, err
	}
	s.after, err = decodeOnDisk(in.Become, in.After)
	return s, err
}

func dropIntents(tx kv.Tx) { tx.Drop(bucketIntents) }
