package device

import (
	"fmt"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Whether a device has something, as far as is known here.
const (
	HasIt     = "yes"
	HasItNot  = "no"
	HasItOpen = "unknown"
)

// Holder is another device of a folder, and whether it has what this disk has at a path.
type Holder struct {
	Device    zsync.DeviceID
	Name      string
	Has       string
	Why       string    // half a sentence; "" where Has says all
	Connected bool      // here, or to a device that is
	Seen      time.Time // as in a [DeviceStatus]
}

// holders tells which of the other devices have what comes of these operations.
func (f *FolderMachine) holders(tx kv.Tx, links LinkStatus, shown []zsync.Stamp) []Holder {
	all, peers := []Holder{}, links.byDevice()
	for _, d := range f.space.devices(tx) {
		d.meet(peers)
		h := Holder{Device: d.Device, Name: d.Name, Connected: d.State != StateOffline, Seen: d.Seen}
		h.Has, h.Why = f.hasShown(d, shown)
		all = append(all, h)
	}
	return all
}

func (f *FolderMachine) hasShown(d DeviceStatus, shown []zsync.Stamp) (has, why string) {
	known := f.space.tellers.told[d.Device]
	wrote := func(by zsync.Stamp) bool {
		author, _ := f.space.log.Author(by.Writer)
		return author == d.Device
	}
	had := func(by zsync.Stamp) bool { return known.had(by) || wrote(by) }
	lacksAny := func(by zsync.Stamp) bool { return !had(by) }
	switch {
	case d.had(), !slices.ContainsFunc(shown, lacksAny):
		return HasIt, ""
	case known.line.Device.IsZero():
		return HasItOpen, "it has not told how far it is since this device started"
	case d.State == StateOffline && known.line.done():
		return HasItNot, "this is newer than what it had"
	case known.line.NeedFiles > 0:
		return HasItOpen, fmt.Sprintf("it lacks %d of the files, and this may be one of them", known.line.NeedFiles)
	}
	return HasItOpen, "it has not told yet whether it has the newest changes"
}
