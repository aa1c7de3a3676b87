package replica

import (
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// The modes of what no operation gave one.
const (
	fileModeDefault = 0o644
	dirModeDefault  = 0o755
)

// place is where a node is: a name in a directory.
type place struct {
	parent uint64
	name   zsync.Name
}

// version is one content of a node that somebody should see. It stands for all
// live heads of the same type and content.
type version struct {
	dot     zsync.Dot   // the newest of these heads, by which a conflict copy is known
	dots    []zsync.Dot // all of them, ascending: what an edit or removal of this version supersedes
	stamp   zsync.Stamp
	kind    zsync.FileType
	content zsync.Digest
	size    int64
	listLen uint32
	mtimeNS int64
	target  string
	author  zsync.DeviceID
	wallMS  uint64
}

// copyVersion is a conflict copy: a version shown beside its node.
type copyVersion struct {
	name    zsync.Name
	version version
}

// shown is what a node should look like on every disk. Of a node that is not
// visible only the place tells something: where it would be, by its last name.
type shown struct {
	visible  bool
	dir      bool
	place    place         // names in one directory, those of copies included, are all different
	mode     uint32        // never unset: there are defaults
	copyMode uint32        // of the conflict copies
	main     version       // what is at the place; of a directory kept only by what is in it, just the kind
	dirDots  []zsync.Dot   // main.dots of a directory, and nil for all else
	copies   []copyVersion // newest first
	wanted   []*target     // as targets returns them; nil until look has asked
	first    target        // the first of them, and the room for a list of it alone
	alone    [1]*target
}

// dir reports whether the node is a directory: one was made and not removed, or
// something visible is in it.
func (r *record) dir() bool {
	return r.kids > 0 || slices.ContainsFunc(r.seen(), func(h head) bool { return h.kind == zsync.TypeDir })
}

// seen returns the heads that count: a weak one, which a Move left so that a
// removal elsewhere does not win over it, only where there is no other.
func (r *record) seen() []head {
	isWeak := func(h head) bool { return h.weak }
	if i := slices.IndexFunc(r.heads, isWeak); i < 0 {
		return r.heads // as nearly always
	}
	if strong := slices.DeleteFunc(slices.Clone(r.heads), isWeak); len(strong) > 0 {
		return strong
	}
	return r.heads
}

// versions returns what is to be seen of the node's heads, the newest first.
func (r *record) versions() (versions []version) {
	seen := r.seen()
	for _, h := range seen {
		same := func(v version) bool { return v.kind == h.kind && v.content == h.content }
		i := slices.IndexFunc(versions, same)
		if i < 0 {
			i = len(versions)
			versions = append(versions, h.version())
		}
		versions[i].dots = append(versions[i].dots, h.by.dot())
	}
	if len(seen) < len(r.heads) {
		r.bearWeak(versions)
	}
	for i := range versions {
		slices.SortFunc(versions[i].dots, zsync.Dot.Compare)
	}
	return versions
}

// bearWeak adds weak heads that do not count to the versions: who removes the node
// removes them too, or they would come back. Each goes with what it holds itself, so
// that whoever ends those bytes ends them under both names: nobody else may have them.
func (r *record) bearWeak(versions []version) {
	for _, h := range r.heads {
		if !h.weak {
			continue
		}
		same := func(v version) bool { return v.kind == h.kind && v.content == h.content }
		bearer := slices.IndexFunc(versions, same)
		if bearer < 0 {
			bearer = max(0, indexOfDir(versions))
		}
		versions[bearer].dots = append(versions[bearer].dots, h.by.dot())
	}
}

// version returns what h says, standing for no head yet.
func (h *head) version() version {
	return version{
		dot: h.by.dot(), stamp: h.by.stamp(), kind: h.kind,
		content: h.content, size: h.size, listLen: h.listLen, mtimeNS: h.mtimeNS, target: h.target,
		author: h.by.author, wallMS: h.by.wallMS,
	}
}

func indexOfDir(versions []version) int {
	return slices.IndexFunc(versions, func(v version) bool { return v.kind == zsync.TypeDir })
}

// modeAs returns the node's mode as a directory or as a file. A mode that came
// with a version of another type says nothing: a file's would lock a directory.
func (r *record) modeAs(kind zsync.FileType, otherwise uint32) uint32 {
	if r.mode.by.stamp().IsZero() || r.mode.kind != zsync.TypeOther && r.mode.kind != kind {
		return otherwise
	}
	return r.mode.mode
}

// look returns the node's shown, which its caller must not change.
func (l *tree) look(tx kv.Tx, node uint64) *shown {
	if s, known := l.looks.get(node); known {
		return s
	}
	s := l.shown(tx, node)
	s.wanted = s.targets(node)
	l.looks.set(node, &s)
	return &s
}

// shown returns what the node should look like, by the log alone.
func (l *tree) shown(tx kv.Tx, node uint64) shown {
	if node == rootNode {
		return shown{visible: true, dir: true, mode: dirModeDefault, copyMode: fileModeDefault, main: version{kind: zsync.TypeDir}}
	}
	r := l.load(tx, node)
	s := shown{visible: r.visible(), dir: r.dir(), place: r.location().place, copyMode: r.modeAs(zsync.TypeFile, fileModeDefault)}
	if !s.visible {
		return s
	}
	s.place.name = l.finalName(tx, node, s.place)
	if len(r.heads) == 1 && s.dir == (r.heads[0].kind == zsync.TypeDir) {
		s.showOnly(r)
		return s // as nearly all
	}
	others := r.versions()
	if s.dir {
		s.mode = r.modeAs(zsync.TypeDir, dirModeDefault)
		s.main.kind = zsync.TypeDir
		if i := indexOfDir(others); i >= 0 {
			s.main, others = others[i], slices.Delete(slices.Clone(others), i, i+1)
		}
		s.dirDots = s.main.dots
	} else {
		s.mode = s.copyMode
		s.main, others = others[0], others[1:]
	}
	s.copies = l.copies(tx, s.place, others)
	return s
}

// showOnly is for a node with one version, which no other one is shown beside.
func (s *shown) showOnly(r *record) {
	s.main = r.heads[0].version()
	s.main.dots = []zsync.Dot{s.main.dot}
	s.mode = s.copyMode
	if s.dir {
		s.mode, s.dirDots = r.modeAs(zsync.TypeDir, dirModeDefault), s.main.dots
	}
}

// at returns the node that is shown under that name, conflict copies left out.
func (l *tree) at(tx kv.Tx, parent uint64, name zsync.Name) (node uint64, ok bool) {
	p := place{parent: parent, name: name}
	for _, node := range l.namesakes(tx, p) {
		if at := l.load(tx, node).location().place; at.parent == parent && l.finalName(tx, node, at) == name {
			return node, true
		}
	}
	return 0, false
}

// copyAt returns the node of the conflict copy shown under that name, and by
// which dot the copy is known.
func (l *tree) copyAt(tx kv.Tx, parent uint64, name zsync.Name) (node uint64, dot zsync.Dot, ok bool) {
	if !maybeCopy(name) {
		return 0, zsync.Dot{}, false
	}
	for _, node := range l.namesakes(tx, place{parent: parent, name: name}) {
		s := l.look(tx, node)
		for _, c := range s.copies {
			if s.place.parent == parent && c.name == name {
				return node, c.version.dot, true
			}
		}
	}
	return 0, zsync.Dot{}, false
}
