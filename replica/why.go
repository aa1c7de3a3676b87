package replica

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// The codes of a [Reason] that no [Problem] has. docs/troubleshooting.md says of
// each what it means and what to do.
const (
	CodeInSync    = "in-sync"
	CodeConflict  = "conflict"  // in sync, with conflict copies
	CodeScanning  = "scanning"  // the folder has not been looked at as a whole yet
	CodeRecording = "recording" // found on the disk, not in the log yet
	CodeChanging  = "changing"  // it does not hold still
	CodeJoining   = "joining"   // this device may not write to the log yet
	CodeHeld      = "held"      // a mass change waits for a person
	CodeMissing   = "missing"   // its bytes are not here: the device says whose turn it is
	// CodeUnreadable is also that of the [Problem].
	CodeUnreadable = "unreadable" // it, or the directory that it is in, cannot be read
	CodeApplying   = "applying"   // its bytes are here, its place is not taken yet
	CodeRole       = "role"       // this device does not carry out what others change
	CodeRoot       = "root"       // the folder's directory is not there
	CodeIgnored    = "ignored"
	CodePrivate    = "private" // the name belongs to zsync
	CodeNested     = "nested"  // in a folder of its own
	CodeMoved      = "moved"
	CodeDeleted    = "deleted"
	CodeUnknown    = "unknown"
)

// The codes of a [Problem] that keeps all that is missing from coming, and so is
// why a path is not here.
const (
	CodeSpace = "space" // there is no room for it on this disk
	CodeDisk  = "disk"  // this disk takes nothing, see store.Trouble
)

// Reason is why something is, or is not, in sync on this disk.
type Reason struct {
	Code string // one word, the same for the same reason: of the list above, or a Problem's
	Why  string // a sentence's end, for a person; "" where the code says all
	// Node is what the log knows at that path, or knew: zero where it knows nothing.
	Node zsync.NodeID
	// Lacks are contents that are not here, with Code CodeMissing.
	Lacks []Want
	// Damaged: what this disk has there was damaged, and Lacks are the good bytes.
	Damaged bool
	// Shown are the operations that what this disk has there comes of, with CodeInSync
	// and CodeConflict; none of a directory.
	Shown []zsync.Stamp
	// Now is where it was moved to, with Code CodeMoved.
	Now zsync.Path
}

// fetchProblem is the code of what came and could not be put down, or did not come.
func fetchProblem(err error) string {
	if store.Trouble(err) != "" {
		return CodeDisk
	}
	return "fetch"
}

// Why tells how a path stands: the first of its reasons that holds.
func (r *Replica) Why(tx kv.Tx, path zsync.Path) Reason {
	if slices.Contains(strings.Split(string(path), "/"), zsync.PrivateDir) {
		return Reason{Code: CodePrivate, Why: "the name " + zsync.PrivateDir + " belongs to zsync"}
	}
	if r.lost {
		return Reason{Code: CodeRoot, Why: store.ErrRoot.Error()}
	}
	for _, tell := range []func(kv.Tx, zsync.Path) (Reason, bool){
		r.whyProblem, r.whyLooking, r.whyShown, r.whyOnDisk, r.whyIgnored, r.whyGone,
	} {
		if reason, known := tell(tx, path); known {
			return reason
		}
	}
	if !r.scan.complete {
		return Reason{Code: CodeScanning, Why: "the folder is still being looked at"}
	}
	return Reason{Code: CodeUnknown}
}

// whyProblem: something was noted of the path itself, or it lies in a directory
// that cannot be looked into.
func (r *Replica) whyProblem(_ kv.Tx, path zsync.Path) (Reason, bool) {
	for _, p := range r.problems.sorted() {
		if p.Code == CodeDamaged {
			continue // what its good bytes wait for tells more
		}
		below := p.Path != "" && below(path, p.Path)
		if p.Path == path && path != "" || below && (p.Code == CodeNested || p.Code == CodeUnreadable) {
			return Reason{Code: p.Code, Why: p.Why}, true
		}
	}
	return Reason{}, false
}

// whyLooking: the disk has something there that is not in the log yet.
func (r *Replica) whyLooking(tx kv.Tx, path zsync.Path) (Reason, bool) {
	_, growing := r.scan.large[path]
	switch {
	case r.scan.delays[path] > 0:
		return Reason{Code: CodeChanging, Why: "it changes while it is read, and is read again when it is quiet"}, true
	case growing:
		return Reason{Code: CodeChanging, Why: "it is large and may be open to write, and is given some time to be whole"}, true
	case r.findings.held && r.findings.at[path] != nil && r.takesAway(tx, r.findings.at[path]):
		return Reason{Code: CodeHeld, Why: "it was removed or replaced here, with much else, and that waits for a person"}, true
	case r.busy(path):
		return Reason{Code: CodeRecording, Why: "it was found on this disk and is being read or recorded"}, true
	}
	return Reason{}, false
}

// whyShown: the log has it.
func (r *Replica) whyShown(tx kv.Tx, path zsync.Path) (Reason, bool) {
	node, _, found := r.tree.lookup(tx, path)
	if !found {
		return Reason{}, false
	}
	s := r.tree.look(tx, node)
	pairs, rest := matched(r.tree.project(tx, node, s), r.disk.node(tx, node))
	reason := Reason{Node: r.tree.nodeID(tx, node)}
	switch {
	case node == rootNode:
		reason.Code = CodeInSync
	case settled(pairs, rest) && len(s.copies) > 0:
		reason.Code, reason.Why = CodeConflict, fmt.Sprintf("it is in sync, and %d versions of it are kept", 1+len(s.copies))
		reason.Shown = stampsOf(pairs)
	case settled(pairs, rest):
		reason.Code, reason.Why = CodeInSync, r.whyProjected(tx, pairs)
		reason.Shown = stampsOf(pairs)
	case tx.Get(bucketHidden, nodeKey(node)) != nil:
		reason.Code, reason.Why = CodePrivate, "it is not made here: the name belongs to zsync"
	case r.heldBack(tx, node):
		reason.Code, reason.Why = CodeHeld, "another device removed or replaced it, with much else, and that waits for a person"
	case !r.cfg.Applies:
		reason.Code, reason.Why = CodeRole, "what other devices change is not carried out on this one"
	default:
		r.whyUnsettled(tx, &reason, pairs)
	}
	return reason, true
}

func stampsOf(pairs []pair) (stamps []zsync.Stamp) {
	for _, p := range pairs {
		if p.kind != zsync.TypeDir {
			stamps = append(stamps, p.version.stamp)
		}
	}
	return stamps
}

// whyUnsettled: the disk has it otherwise than the log.
func (r *Replica) whyUnsettled(tx kv.Tx, reason *Reason, pairs []pair) {
	for _, p := range pairs {
		reason.Damaged = reason.Damaged || p.from != nil && !p.sameContent(p.from) && r.meant(tx, p.from) != nil
		if v := p.version; p.kind == zsync.TypeFile && !p.sameContent(p.from) && v.content != zsync.EmptyContent && !r.contents.has(v.content) {
			reason.Lacks = append(reason.Lacks, Want{Content: v.content, Size: v.size, ListLen: v.listLen, Author: v.author, Stamp: v.stamp})
		}
	}
	inTheWay := []string{"apply", "flush"}
	reason.Code, reason.Why = CodeApplying, "all of it is here, and it takes its place in a moment"
	if len(reason.Lacks) > 0 {
		reason.Code, reason.Why = CodeMissing, ""
		inTheWay = []string{CodeSpace, CodeDisk}
	}
	for _, p := range r.problems.sorted() {
		if p.Path == "" && slices.Contains(inTheWay, p.Code) {
			reason.Code, reason.Why = p.Code, p.Why
		}
	}
}

// whyOnDisk: D has it there, and the log has it elsewhere or no more.
func (r *Replica) whyOnDisk(tx kv.Tx, path zsync.Path) (Reason, bool) {
	d := r.disk.atPath(tx, path)
	switch {
	case d == nil:
		return Reason{}, false
	case d.stands != "":
		at := r.pathLogged(tx, d.loggedPlace())
		why := fmt.Sprintf("this is %q, which this disk cannot hold under its own name; on other devices it has that", at)
		if tx.Get(bucketTodo, nodeKey(d.key.node)) == nil {
			return Reason{Code: CodeInSync, Why: why}, true
		}
		return Reason{Code: CodeApplying, Why: why}, true
	case d.kept:
		return Reason{Code: "kept", Why: "other devices removed it; it stays here because it holds something that zsync leaves alone"}, true
	}
	return Reason{Code: CodeApplying, Why: "other devices moved or removed it, and it goes from here in a moment"}, true
}

// whyIgnored: the path, or a directory on the way to it, has a name that is left
// alone.
func (r *Replica) whyIgnored(_ kv.Tx, path zsync.Path) (Reason, bool) {
	for end := range len(path) + 1 {
		if end < len(path) && path[end] != '/' {
			continue
		}
		for _, dir := range []bool{false, true} {
			if pattern, ignored := r.apart.rules.by(string(path[:end]), dir); ignored {
				return Reason{Code: CodeIgnored, Why: fmt.Sprintf("%q matches the pattern %s", path[:end], pattern)}, true
			}
		}
	}
	return Reason{}, false
}

// whyGone: the log had it once.
func (r *Replica) whyGone(tx kv.Tx, path zsync.Path) (Reason, bool) {
	node, found := r.lastAt(tx, path)
	if !found {
		return Reason{}, false
	}
	record := r.tree.load(tx, node)
	reason := Reason{Code: CodeDeleted, Node: record.id}
	if record.visible() {
		reason.Code, reason.Now = CodeMoved, r.tree.shownPath(tx, r.tree.look(tx, node).place)
	}
	return reason, true
}

// lastAt returns the node that was made at a path first, if nothing is shown there
// now. What was moved there later, or made there anew while that was elsewhere, is
// not found: the log tells of it.
func (r *Replica) lastAt(tx kv.Tx, path zsync.Path) (uint64, bool) {
	if path == "" {
		return rootNode, true
	}
	dir, _, found := r.tree.lookup(tx, path.Dir())
	if !found {
		dir, found = r.lastAt(tx, path.Dir())
	}
	if !found {
		return 0, false
	}
	node, found := r.tree.nodeOf(tx, r.tree.derivedID(r.tree.nodeID(tx, dir), path.Base()))
	return node, found && r.tree.load(tx, node).known()
}
