package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
	"github.com/zsync/zsync/security"
)

// HistoryLine is one operation of a folder's log, as a person reads it.
type HistoryLine struct {
	Event   zsync.EventID
	Lamport uint64
	Seq     uint64
	Device  zsync.DeviceID
	Name    string // of the device
	Wall    time.Time
	Folder  string
	Op      string // put, delete, move, attr, mkdir, member
	Path    string // where the file is now, or was last
	From    string
	Size    int64
	Content zsync.Digest
}

// History yields the operations of a folder's log, or of every folder's (""),
// oldest first, until yield returns false: see [MergeHistories].
func (r *Running) History(label string, yield func(HistoryLine) bool) error {
	folders, err := r.foldersOf(label)
	if err != nil {
		return err
	}
	logs := make([]HistoryPages, len(folders))
	for i, f := range folders {
		logs[i] = func(after zsync.Stamp) (HistoryPage, error) {
			return answer(f, func() (HistoryPage, error) { return f.machine.HistoryAfter(after) })
		}
	}
	return MergeHistories(logs, yield)
}

// StoppedHistory reads the history of a folder whose device does not run.
func StoppedHistory(store kv.Store, reg Registration) (HistoryPages, error) {
	f, err := openStopped(store, reg)
	return f.HistoryAfter, err
}

// History returns every operation of the folder's log, oldest first.
func (f *FolderMachine) History() (lines []HistoryLine, err error) {
	err = MergeHistories([]HistoryPages{f.HistoryAfter}, func(line HistoryLine) bool {
		lines = append(lines, line)
		return true
	})
	return lines, err
}

// linesOf reads the operations of one event, by the device of that name. Void events
// say nothing.
func (f *FolderMachine) linesOf(tx kv.Tx, ev eventlog.Event, name string) (lines []HistoryLine) {
	base := HistoryLine{
		Event: ev.ID, Lamport: ev.Header.Lamport, Seq: ev.Header.Seq, Device: ev.Author,
		Name: name, Wall: time.UnixMilli(int64(ev.Header.WallMS)), Folder: string(f.cfg.Label),
	}
	switch {
	case ev.Void:
	case ev.Header.Kind == zsync.KindMember:
		members, err := security.DecodeMemberBody(ev.Body)
		if err != nil {
			return nil
		}
		for _, m := range members {
			line := base
			line.Op, line.Path = "member", m.Cert.Name
			lines = append(lines, line)
		}
	case ev.Header.Kind == zsync.KindSettings:
		return linesOfSettings(ev, base)
	case ev.Header.Kind == zsync.KindFS && f.replica != nil: // the circle has no files
		body, err := replica.DecodeBody(ev.Body)
		if err != nil {
			return nil
		}
		for i, op := range body {
			lines = append(lines, f.lineOf(tx, ev.Header.Stamp(uint32(i)), op, base))
		}
	}
	return lines
}

func (f *FolderMachine) lineOf(tx kv.Tx, at zsync.Stamp, op replica.Op, line HistoryLine) HistoryLine {
	line.Size, line.Content = op.Size, op.Content
	switch {
	case op.Kind == replica.OpPut && op.Type == zsync.TypeDir:
		line.Op = "mkdir"
	case op.Kind == replica.OpPut:
		line.Op = "put"
	case op.Kind == replica.OpDel:
		line.Op = "delete"
	case op.Kind == replica.OpMove:
		line.Op = "move"
	case op.Kind == replica.OpAttr:
		line.Op = "attr"
	}
	if op.Kind == replica.OpPut || op.Kind == replica.OpMove {
		line.Path = string(f.replica.PathIn(tx, op.Parent, op.Name))
	} else {
		line.Path = string(f.replica.PathOf(tx, op.Node))
	}
	if op.Kind == replica.OpMove {
		line.From = string(f.replica.PathBefore(tx, op.Node, at))
	}
	return line
}

// names returns what each member calls itself.
func (s *space) names(tx kv.Tx) map[zsync.DeviceID]string {
	names := make(map[zsync.DeviceID]string)
	for _, member := range s.members.List(tx) {
		names[member.Device] = member.Cert.Name
	}
	return names
}
