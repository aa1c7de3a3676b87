package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/zre"
)

// knocksMax bounds how many strangers are remembered; the oldest go first.
const knocksMax = 64

// Attempt is a connection that came to nothing: a stranger that knocked here, or
// a device that was dialled and had another key or another circle.
type Attempt struct {
	Key     zsync.Key // zero when the handshake failed before it was known
	Address string
	Why     string // "", or what is wrong when this device dialled
	Count   int
	Last    time.Time
}

// knocks remembers attempts, one entry for each key and address.
type knocks struct{ list []Attempt }

func newKnocks() knocks { return knocks{} }

func (k *knocks) add(now time.Time, in Knocked) { k.note(now, in.Key, in.Address, "") }

func (k *knocks) badKey(now time.Time, dial zre.Dial) {
	k.note(now, dial.Key, dial.Endpoint, "the device at this address has another key")
}

func (k *knocks) refused(now time.Time, key zsync.Key, why string) { k.note(now, key, "", why) }

func (k *knocks) note(now time.Time, key zsync.Key, address, why string) {
	i := slices.IndexFunc(k.list, func(a Attempt) bool {
		return a.Key == key && a.Address == address && a.Why == why
	})
	if i < 0 {
		if len(k.list) == knocksMax {
			k.list = slices.Delete(k.list, 0, 1)
		}
		k.list = append(k.list, Attempt{Key: key, Address: address, Why: why})
		i = len(k.list) - 1
	}
	k.list[i].Count++
	k.list[i].Last = now
}
