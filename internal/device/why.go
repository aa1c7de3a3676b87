package device

import (
	"fmt"
	"slices"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/replica"
)

// The codes that a Why has besides those of package replica.
const (
	CodeFetching = "fetching" // a device that is linked has its bytes
	CodeHalted   = "halted"   // the folder cannot be opened
)

// Why is how one path stands on this device.
type Why struct {
	Folder string
	Path   zsync.Path
	Code   string
	Why    string // a sentence, without its dot
	// Holders are the other devices, by name, where this one has the path as the log has it.
	Holders []Holder
}

// Why tells how a path of a folder stands. Its directory is looked at first, so
// that what a person did a moment ago counts.
func (r *Running) Why(label string, path zsync.Path) (Why, error) {
	if why, halted := r.halts(label); halted {
		return Why{Folder: label, Path: path, Code: CodeHalted, Why: why}, nil
	}
	f, err := r.folderOf(label)
	if err != nil {
		return Why{}, err
	}
	r.look(f, []zsync.Path{path})
	links, _ := ask(r.link, statusTime, r.Link.Status) // without it a connection that was lost is one for a while
	return answer(f, func() (Why, error) { return f.machine.Why(path, links) })
}

// halts tells why a folder is halted, if it is.
func (r *Running) halts(label string) (why string, halted bool) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	for _, h := range r.halted {
		if !h.Scout && h.Label == Label(label) {
			return h.Why, true
		}
	}
	return "", false
}

// Why tells how a path stands, who has what it lacks, and who lacks what it has.
func (f *FolderMachine) Why(path zsync.Path, links LinkStatus) (why Why, err error) {
	err = f.store.View(func(tx kv.Tx) error {
		reason := f.replica.Why(tx, path)
		why = Why{Folder: string(f.cfg.Label), Path: path, Code: reason.Code, Why: reason.Why}
		switch {
		case f.rootLost:
			why.Code, why.Why = CodeHalted, rootMissing(f.cfg.Dir)
		case !f.space.member || f.space.waiting:
			f.whyJoining(&why)
		case reason.Code == replica.CodeInSync && reason.Why == "":
			why.Why = "what is on this disk is what the folder should have"
		case reason.Code == replica.CodeMissing:
			f.whyMissing(tx, &why, reason)
		case reason.Code == replica.CodeMoved:
			why.Why = fmt.Sprintf("it is %s now", reason.Now)
		case reason.Code == replica.CodeDeleted:
			f.whyDeleted(tx, &why, reason.Node)
		case reason.Code == replica.CodeUnknown:
			why.Why = "neither the log nor this disk, where it was looked at, has anything of that name"
		}
		if why.Code == reason.Code && len(reason.Shown) > 0 {
			if why.Holders = f.holders(tx, links, reason.Shown); len(why.Holders) == 0 {
				why.Why += "; no other device has this folder"
			}
		}
		if reason.Damaged {
			why.Code, why.Why = replica.CodeDamaged, "it was damaged on this disk; of what it should hold: "+why.Why
		}
		return nil
	})
	return why, err
}

// whyJoining: until this device may write, it records nothing.
func (f *FolderMachine) whyJoining(why *Why) {
	if why.Code == replica.CodeUnknown || why.Code == replica.CodeRecording || why.Code == replica.CodeScanning {
		why.Code = replica.CodeJoining
		why.Why = "this device is not a member of the folder yet; another device of the circle has to be reached"
		if f.space.member {
			why.Why = "this device makes sure that its log is the newest before it writes to it"
		}
	}
}

// whyMissing says who has the bytes, or may have them.
func (f *FolderMachine) whyMissing(tx kv.Tx, why *Why, reason replica.Reason) {
	lack := replica.Lack{Path: why.Path, Want: reason.Lacks[0]}
	lack.Want.Size = 0
	for _, want := range reason.Lacks {
		lack.Want.Size += want.Size
	}
	members := f.space.devices(tx)
	if f.nobodyHas(lack.Want.Content) {
		why.Why = f.whereabouts(tx, members, f.space.names(tx), lack)
		return
	}
	why.Code = CodeFetching
	why.Why = fmt.Sprintf("its bytes (%s) are asked of the devices that are connected", sizeText(lack.Want.Size))
	for _, d := range members {
		if f.space.tellers.direct[d.Device] && (d.Device == lack.Want.Author || d.State == StateInSync) {
			why.Why = fmt.Sprintf("its bytes (%s) come from %s, which is connected", sizeText(lack.Want.Size), d.Name)
		}
	}
}

// givingUp says what to type about a version that nobody may have any more. It is not
// for the device to conclude: one that is off may have it.
func (f *FolderMachine) givingUp(tx kv.Tx, path zsync.Path) string {
	c, clashed := f.replica.ConflictAt(tx, path)
	if clashed {
		path = c.Versions[0].Path
	}
	for _, v := range c.Versions {
		if v.Here {
			return fmt.Sprintf("It is given up by  zsync conflicts keep %s  here", v.Path)
		}
	}
	return fmt.Sprintf("It is given up by putting any file at %s, and then  zsync conflicts keep %s  here", path, path)
}

func clockText(at time.Time) string { return at.UTC().Format("2006-01-02 15:04:05 UTC") }

func sizeText(octets int64) string { return humanize.Bytes(uint64(max(0, octets))) }

func lastSeen(seen time.Time) string {
	if seen.IsZero() {
		return "not seen since this device started"
	}
	return "seen " + clockText(seen)
}

// whyDeleted says who removed a node, by the log. It reads all of it.
func (f *FolderMachine) whyDeleted(tx kv.Tx, why *Why, node zsync.NodeID) {
	names := f.space.names(tx)
	why.Why = "it was removed"
	f.space.log.Each(tx, func(ev eventlog.Event) bool {
		if removes(ev, node) {
			why.Why = fmt.Sprintf("%s removed it, %s by its clock; the devices that had it keep its last version:  zsync restore %s  brings it back",
				names[ev.Author], clockText(time.UnixMilli(int64(ev.Header.WallMS))), why.Path)
		}
		return true
	})
}

// removes reports whether an event removes versions of a node.
func removes(ev eventlog.Event, node zsync.NodeID) bool {
	if ev.Void || ev.Header.Kind != zsync.KindFS {
		return false
	}
	body, err := replica.DecodeBody(ev.Body)
	return err == nil && slices.ContainsFunc(body, func(op replica.Op) bool {
		return op.Kind == replica.OpDel && op.Node == node
	})
}
