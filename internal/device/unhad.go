package device

import (
	"errors"
	"slices"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

const (
	// retryMin is how long items that nobody had are left before they are asked for
	// again, and retryMax how long at most: the wait doubles as long as nothing new is
	// wanted. A peer that comes or moves on ends it.
	retryMin = 2 * time.Second
	retryMax = time.Minute
	// unhadMax is how many items may wait for somebody who has them; contents
	// beyond that give their place up to others and are tried again later.
	unhadMax = 1024
)

// errNobodyHas says why a content is not here; it is tried again.
var errNobodyHas = errors.New("no device that is connected has it")

// unhad are the items that every device that is connected was asked for in vain.
type unhad struct {
	items []Item
	at    time.Time     // when they are asked for again; zero: there are none
	pause time.Duration // how long the next ones wait
}

// add keeps as many of the items as there is place for, and returns the others.
func (u *unhad) add(now time.Time, items []Item) (others []Item) {
	keep := min(len(items), max(0, unhadMax-len(u.items)))
	u.items = append(u.items, items[:keep]...)
	if u.at.IsZero() {
		u.at = now.Add(max(retryMin, u.pause))
	}
	return items[keep:]
}

// retry asks again at the next turn: a peer came, or one has more than before.
func (u *unhad) retry() {
	u.pause = retryMin
	if len(u.items) > 0 {
		u.at = time.Unix(0, 1)
	}
}

// again returns the items that are to be asked for once more now.
func (u *unhad) again(now time.Time) []Item {
	if u.at.IsZero() || now.Before(u.at) {
		return nil
	}
	items := u.items
	u.items, u.at, u.pause = nil, time.Time{}, min(2*max(retryMin, u.pause), retryMax)
	return items
}

// newcomer: a device has come that was asked for nothing yet. What nobody had is judged
// once it has been asked, too.
func (x *fetcher) newcomer() {
	for _, content := range x.lacking {
		if w := x.wants[content]; w != nil {
			w.lacked = false
		}
	}
	x.lacking = nil
	for _, w := range x.wants {
		w.unhad = false
	}
	x.unhad.retry()
}

// startAnew: something is wanted now. What nobody had of a content that was taken back
// before is not asked for a second time should it be among it.
func (x *fetcher) startAnew() {
	x.unhad.pause = retryMin
	x.unhad.items = slices.DeleteFunc(x.unhad.items, func(item Item) bool { return x.wants[item.content()] == nil })
}

// unfetched keeps items that nobody had, to ask again later, but not so many that
// nothing else could be asked for.
func (f *FolderMachine) unfetched(tx kv.Tx, now time.Time, items []Item) {
	for _, item := range items {
		f.fetch.lacks(item)
	}
	others := f.fetch.unhad.add(now, items)
	for _, item := range items[:len(items)-len(others)] {
		if w := f.fetch.wants[item.content()]; w != nil {
			w.unhad = true
		}
	}
	for _, item := range others {
		if w := f.fetch.wants[item.content()]; w != nil {
			delete(f.fetch.wants, w.Content)
			f.replica.Staged(tx, now, w.Content, errNobodyHas)
		}
	}
}

// refetch asks for the items whose wait is over, those that go to the same devices
// in one order.
func (f *FolderMachine) refetch(now time.Time) {
	var run Fetch
	var of zsync.Digest
	for _, item := range f.fetch.unhad.again(now) {
		w := f.fetch.wants[item.content()]
		if w == nil {
			continue
		}
		if !run.takes(w) || of != item.Of {
			f.request(run)
			of = item.Of
			run = w.fetch(w.Size)
			if of.IsZero() {
				run.Total = zsync.ContentChunkMax
			}
		}
		run.add(w, item)
	}
	f.request(run)
}
