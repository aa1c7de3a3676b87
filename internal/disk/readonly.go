package disk

import (
	"errors"
	"slices"
	"syscall"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
)

// tell posts a fact. Where the folder's disk takes no writes any more, all that is open
// on it is let go of, so that a person can unmount and check it; the owner opens the
// folder again as soon as that works.
func (w *Workers) tell(to device.Address, what any) {
	w.post(to, what)
	if !slices.ContainsFunc(failures(what), isReadOnly) || !isReadOnly(w.root.TryWrite()) {
		return // nothing of that, or a smaller part of the tree than the folder's own place
	}
	w.left.Do(func() { w.post(device.Address{Part: device.Owner}, device.LostRoot{Space: w.space}) })
}

func isReadOnly(err error) bool { return errors.Is(err, syscall.EROFS) }

// failures are the errors in a fact about what was to be written.
func failures(what any) (errs []error) {
	switch fact := what.(type) {
	case device.Hashed:
		for _, h := range fact.Results {
			errs = append(errs, h.Err)
		}
	case device.Staged:
		for _, piece := range fact.Pieces {
			errs = append(errs, piece.Err)
		}
	case device.Applied:
		return failed(fact.Results)
	case device.AppliedPast:
		return failed(fact.Results)
	case device.Assembled:
		return []error{fact.Err}
	case device.Copied:
		return []error{fact.Err}
	case device.Flushed:
		return []error{fact.Err}
	case device.Pruned:
		return []error{fact.Err}
	case device.Discarded:
		return []error{fact.Err}
	}
	return errs
}

func failed(results []store.Result) (errs []error) {
	for _, result := range results {
		errs = append(errs, result.Err)
	}
	return errs
}
