package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
)

// record appends the operations that scans and hashes have found, each body one
// event, and lets the disk's state take the dots of the versions so made.
func (f *FolderMachine) record(tx kv.Tx, now time.Time) error {
	s := f.space
	if s.member = s.right(tx) != security.RightNone; s.member && !f.joined {
		f.joined = true
		s.emit(Address{Part: Home}, Joined{s.id})
	}
	may := s.mayAppend(tx, now)
	s.waiting = s.member && !may
	f.replica.SetAuthor(may, s.waiting)
	for may {
		writer, seq := s.log.Next(tx)
		body := f.replica.Body(tx, writer, seq)
		if body == nil {
			break
		}
		if err := f.write(tx, now, zsync.KindFS, body); err != nil {
			return err
		}
	}
	if !may {
		return nil
	}
	if err := f.giveUp(tx, now); err != nil {
		return err
	}
	return f.recordConfirms(tx, now)
}

// recordConfirms appends what a person has confirmed.
func (f *FolderMachine) recordConfirms(tx kv.Tx, now time.Time) error {
	for {
		body := f.replica.ConfirmBody(tx)
		if body == nil {
			return nil
		}
		if err := f.write(tx, now, zsync.KindConfirm, body); err != nil {
			return err
		}
	}
}

// write appends one own event and folds it. Of one that changes the tree, whose body
// the replica has made, the disk's state takes the dots.
func (f *FolderMachine) write(tx kv.Tx, now time.Time, kind zsync.Kind, body []byte) error {
	ev, err := f.space.append(tx, now, kind, body)
	if err != nil {
		return err
	}
	if err := f.replica.Fold(tx, []eventlog.Event{ev}); err != nil {
		return err
	}
	if kind == zsync.KindFS {
		f.replica.Logged(tx, ev)
	}
	return nil
}
