package replica

import (
	"slices"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// pastNode stands in for a node among those that want contents: what is to be brought
// back from the past belongs to no node yet.
const pastNode = cursorEnd - 1

// StepKind says what a Step does.
type StepKind uint8

// What is done to bring things back. Nothing of it is written to the log: it is done
// to the tree as its user does it, and a scan finds it.
const (
	StepPut    StepKind = iota + 1 // have Want at Path; what is there goes to the versions area
	StepRemove                     // move what is at Path to the versions area
	StepMove                       // move From to Path
)

// Step is one thing to be brought back.
type Step struct {
	Do     StepKind
	Path   zsync.Path
	From   zsync.Path // StepMove
	Known  zsync.Path // where D has what is at Path, if an earlier step moves it; ""
	Want   Entry      // StepPut
	Expect *Entry     // what must be there; nil: anything may
	Free   bool       // StepPut: nothing may be there
}

// Verdict says what the disk, as far as it is known, makes of a Step.
type Verdict uint8

// The verdicts.
const (
	Doable    Verdict = iota + 1 // Change does it
	DoneSo                       // it is so already
	Undoable                     // something else is there: Why
	NotKnown                     // the disk is being looked at: ask again
	Contented                    // Change does it once Want's content is staged
)

// Trial is a Step held against D.
type Trial struct {
	Verdict  Verdict
	Why      string
	Change   store.Change
	Replaced zsync.Digest // the content of the file that goes to the versions area
}

// Try finds out what a step needs. It changes nothing.
func (r *Replica) Try(tx kv.Tx, s *Step) Trial {
	if r.lost || !r.scan.complete {
		return Trial{Verdict: NotKnown, Why: "the folder is being read"}
	}
	s = r.onDisk(tx, s)
	at := s.Path
	if s.Do == StepMove {
		at = s.From
	}
	d := r.disk.atPath(tx, at)
	if d == nil && s.Known != "" {
		at = s.Known
		d = r.disk.atPath(tx, at)
	}
	if r.busy(at) || r.busy(s.Path) || d != nil && d.young {
		if d != nil && d.young {
			r.scan.hintAt(r.now, r.now.Add(youngAfter), at.Dir())
		}
		return Trial{Verdict: NotKnown, Why: "it is changing at this moment"}
	}
	switch s.Do {
	case StepMove:
		return r.tryMove(tx, s, d)
	case StepRemove:
		return tryRemove(s, d)
	}
	return r.tryPut(s, d)
}

const (
	whyOther = "something else is there now"
	whyDir   = "a directory is there now"
	whyFile  = "a file is there now"
	whyGone  = "it is not there any more"
)

func (s *Step) expects(d *onDisk) bool {
	return s.Expect == nil || d.kind == s.Expect.Type && d.content == s.Expect.Content
}

func (r *Replica) tryMove(tx kv.Tx, s *Step, d *onDisk) Trial {
	switch {
	case d == nil && r.disk.atPath(tx, s.Path) != nil:
		return Trial{Verdict: DoneSo}
	case d == nil:
		return Trial{Verdict: Undoable, Why: whyGone}
	case s.Expect != nil && d.kind != s.Expect.Type:
		return Trial{Verdict: Undoable, Why: whyOther}
	}
	old := d.stat
	return Trial{Verdict: Doable, Change: store.Change{Op: store.OpRename, Path: s.Path, From: s.From, Old: &old}}
}

func tryRemove(s *Step, d *onDisk) Trial {
	switch {
	case d == nil:
		return Trial{Verdict: DoneSo}
	case !s.expects(d):
		return Trial{Verdict: Undoable, Why: whyOther}
	}
	old := d.stat
	t := Trial{Verdict: Doable, Change: store.Change{Op: store.OpRemove, Path: s.Path, Old: &old}, Replaced: d.replaced()}
	if d.kind == zsync.TypeDir {
		t.Change.Op = store.OpRmdir
	}
	return t
}

// replaced returns the content by which a file is found in the versions area.
func (d *onDisk) replaced() zsync.Digest {
	if d == nil || d.kind != zsync.TypeFile {
		return zsync.Digest{}
	}
	return d.content
}

func (r *Replica) tryPut(s *Step, d *onDisk) Trial {
	t := Trial{Verdict: Doable, Change: s.put(), Replaced: d.replaced()}
	if d != nil {
		old := d.stat
		t.Change.Old = &old
	}
	switch {
	case d != nil && d.kind == s.Want.Type && d.content == s.Want.Content:
		if s.Expect == nil || d.mode == s.Want.Mode || d.kind == zsync.TypeSymlink {
			return Trial{Verdict: DoneSo}
		}
		t.Change.Op, t.Change.Content, t.Replaced = store.OpAttr, zsync.Digest{}, zsync.Digest{}
	case d != nil && d.kind == zsync.TypeDir:
		return Trial{Verdict: Undoable, Why: whyDir}
	case d != nil && s.Want.Type == zsync.TypeDir:
		return Trial{Verdict: Undoable, Why: whyFile}
	case d != nil && (s.Free || !s.expects(d)):
		return Trial{Verdict: Undoable, Why: whyOther}
	case t.Change.Op == store.OpPlace && s.Want.Content != zsync.EmptyContent && !r.contents.has(s.Want.Content):
		t.Verdict = Contented
	}
	return t
}

// put makes what a step wants.
func (s *Step) put() store.Change {
	w := &s.Want
	c := store.Change{Op: store.OpPlace, Path: s.Path, Mode: w.Mode, MtimeNS: w.MtimeNS, Content: w.Content, Size: w.Size}
	switch w.Type {
	case zsync.TypeDir:
		c = store.Change{Op: store.OpMkdir, Path: s.Path, Mode: w.Mode | dirModeLeast}
	case zsync.TypeSymlink:
		c = store.Change{Op: store.OpSymlink, Path: s.Path, Target: w.Target, MtimeNS: w.MtimeNS}
	}
	return c
}

// Retrieve has the contents of these entries, and of no others that were asked for
// before in this way, brought into staging: copied from where this disk has them, or
// fetched. It is called again until all are [Replica.IsStaged]; none ends it.
func (r *Replica) Retrieve(tx kv.Tx, entries []Entry) {
	lacks := make([]*version, 0, len(entries))
	for i := range entries {
		e := &entries[i]
		lacks = append(lacks, &version{content: e.Content, size: e.Size, listLen: e.ListLen, author: e.Author, stamp: e.Stamp})
	}
	r.contents.claim(r, tx, pastNode, lacks, false)
}

// IsStaged reports whether a content is whole in staging.
func (r *Replica) IsStaged(content zsync.Digest) bool { return r.contents.has(content) }

// Copying reports whether a content is being copied from elsewhere on this disk.
func (r *Replica) Copying(content zsync.Digest) bool {
	c := r.contents.by[content]
	return c != nil && c.copying
}

// Brought takes in what became of the changes of trials: which staging files were
// used, and where what was replaced went. What else changed a scan finds, of the
// directories returned.
func (r *Replica) Brought(tx kv.Tx, trials []Trial, results []store.Result) (changed []zsync.Path) {
	for i := range trials {
		c, result := &trials[i].Change, &results[i]
		if c.Op == store.OpPlace && r.contents.has(c.Content) {
			delete(r.contents.staged, c.Content)
			r.contents.again(r, c.Content)
		}
		if result.Kept != "" && !trials[i].Replaced.IsZero() && c.Old.SameFile(result.KeptStat) {
			putKept(tx, &onDisk{kind: zsync.TypeFile, content: trials[i].Replaced, stat: *c.Old}, result.Kept)
		}
		changed = append(changed, c.Path.Dir())
		if c.From != "" {
			changed = append(changed, c.From.Dir())
		}
	}
	slices.Sort(changed)
	return slices.Compact(changed)
}

// KeptContent returns what a file in the versions area holds and the octets that it
// had, as far as it is known.
func (r *Replica) KeptContent(tx kv.Tx, kept string) (content zsync.Digest, stat store.Stat, found bool) {
	return keptRecord(tx, kept)
}

// EachKept yields the names in the versions area whose content is known, the oldest
// first.
func (r *Replica) EachKept(tx kv.Tx, yield func(kept string) bool) {
	tx.Scan(bucketKept, nil, func(key, _ []byte) bool { return yield(string(key)) })
}

// Steps returns what brings entries back that were below a path: at the same place,
// or below another. The directories above come first.
func Steps(entries []Entry, from, to zsync.Path) (steps []Step) {
	if len(entries) == 0 {
		return nil
	}
	for dir := to.Dir(); dir != ""; dir = dir.Dir() {
		steps = append(steps, Step{Do: StepPut, Path: dir, Want: Entry{Type: zsync.TypeDir, Mode: dirModeDefault}})
	}
	slices.Reverse(steps)
	for _, e := range entries {
		path := to
		for _, name := range strings.FieldsFunc(string(e.Path[len(from):]), func(r rune) bool { return r == '/' }) {
			path = path.Join(zsync.Name(name))
		}
		steps = append(steps, Step{Do: StepPut, Path: path, Want: e})
	}
	return steps
}

// Steps returns what carries an undoing out, in its order.
func (u *Undoing) Steps() (steps []Step) {
	var moved []renamed
	now := func(path zsync.Path) zsync.Path {
		for _, m := range moved {
			if below(path, m.from) {
				path = m.translate(path)
			}
		}
		return path
	}
	for _, m := range u.Move {
		from := now(m.Now.Path)
		if from == m.Then.Path {
			continue
		}
		expect := m.Now
		steps = append(steps, Step{Do: StepMove, Path: m.Then.Path, From: from, Known: m.Now.Path, Expect: &expect})
		moved = append(moved, renamed{from: from, to: m.Then.Path})
	}
	for _, m := range u.Remove {
		expect := m.Now
		steps = append(steps, Step{Do: StepRemove, Path: now(m.Now.Path), Known: m.Now.Path, Expect: &expect})
	}
	for _, m := range u.Put {
		s := Step{Do: StepPut, Path: m.Then.Path, Want: m.Then, Free: m.Now.Path == ""}
		if !s.Free {
			expect := m.Now
			s.Known, s.Expect = m.Now.Path, &expect
		}
		steps = append(steps, s)
	}
	return steps
}
