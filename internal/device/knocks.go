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

// Of the certificates that a key sends, so many in a row are looked at, and one a
// certEvery in the long run: each costs a signature to verify. Those of devices
// that are pairing follow each other closely, when a circle has been founded.
const (
	certsInARow = 8
	certEvery   = time.Second
)

// allowances are what each key may still send, told by when it is whole again.
type allowances map[zsync.Key]time.Time

// take reports whether the owner of a key may be heard once more.
func (a allowances) take(now time.Time, key zsync.Key) bool {
	whole := a[key]
	if whole.Before(now) {
		whole = now
	}
	if whole.Sub(now) > (certsInARow-1)*certEvery {
		return false
	}
	a[key] = whole.Add(certEvery)
	return true
}
