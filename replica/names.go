package replica

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// Names that L makes up have the form stem~suffix.ext, where stem.ext is the
// name that could not be given. Two such names are equal only if stem, suffix
// and ext all are: no suffix holds a '~', and the suffixes of nodes, copies and
// counters never look alike. What a user has named so, keeps its name: a
// made-up name gives way by a longer suffix.
const (
	copyMark    = "conflict-"
	extBytesMax = 32              // what follows the last dot is part of the stem when longer
	wallMSMax   = 253402300799999 // the end of the year 9999
	layersMax   = 4               // suffixes on one name: node, counter, copy, counter
)

// split parts a name before its last dot; a leading dot begins no extension.
func split(name zsync.Name) (stem, ext string) {
	text := string(name)
	if i := strings.LastIndexByte(text, '.'); i > 0 && len(text)-i <= extBytesMax {
		return text[:i], text[i:]
	}
	return text, ""
}

// decorate returns stem~suffix.ext. When that is too long it shortens the stem,
// at a rune boundary, and says so.
func decorate(name zsync.Name, suffix string) (decorated zsync.Name, whole bool) {
	return decorateIn(name, suffix, zsync.NameBytesMax)
}

// decorateIn is decorate for names of no more than so many octets, 96 at least.
func decorateIn(name zsync.Name, suffix string, most int) (decorated zsync.Name, whole bool) {
	stem, ext := split(name)
	room := most - len("~") - len(suffix) - len(ext)
	if whole = len(stem) <= room; !whole {
		for stem = stem[:room]; !utf8.ValidString(stem); {
			stem = stem[:len(stem)-1]
		}
	}
	return zsync.Name(stem + "~" + suffix + ext), whole
}

// finalName returns the name under which a visible node is shown, given its
// location.
func (l *tree) finalName(tx kv.Tx, node uint64, location place) zsync.Name {
	rivals := l.rivals(tx, location)
	if len(rivals) <= 1 {
		return location.name
	}
	for _, r := range l.ranked(tx, location, rivals) {
		if r.node == node {
			return r.name
		}
	}
	return location.name
}

// rival is one of several visible nodes with one location.
type rival struct {
	node uint64
	footing
	id   zsync.NodeID
	name zsync.Name // as which it is shown
}

// ranked returns the rivals in the order of their claims, with their names:
// directories before files, so that nothing loses its way in, then the oldest.
func (l *tree) ranked(tx kv.Tx, location place, nodes []uint64) []rival {
	rivals := make([]rival, len(nodes))
	for i, node := range nodes {
		r := l.load(tx, node)
		rivals[i] = rival{node: node, footing: r.footing(), id: r.id}
	}
	slices.SortFunc(rivals, func(a, b rival) int {
		if a.dir && !b.dir {
			return -1
		}
		if b.dir && !a.dir {
			return +1
		}
		return cmp.Or(a.stamp.Compare(b.stamp), a.id.Compare(b.id))
	})
	given := givenNames{location.name: true}
	rivals[0].name = location.name
	for i := 1; i < len(rivals); i++ {
		rivals[i].name = l.rivalName(tx, location, rivals[i].id, given)
		given[rivals[i].name] = true
	}
	return rivals
}

// givenNames are the made-up names given out so far beside each other.
type givenNames map[zsync.Name]bool

func (l *tree) free(tx kv.Tx, p place, given givenNames) bool {
	return !given[p.name] && !l.claimed(tx, p)
}

// rivalName returns stem~<hex of the node id>.ext, with as little of the id as
// makes it free, but all of it where the stem had to be shortened.
func (l *tree) rivalName(tx kv.Tx, location place, id zsync.NodeID, given givenNames) zsync.Name {
	digits := id.String()
	for n := 6; n < len(digits); n += 6 {
		name, whole := decorate(location.name, digits[:n])
		if !whole {
			break
		}
		if l.free(tx, place{location.parent, name}, given) {
			return name
		}
	}
	return l.counted(tx, location, digits, given)
}

// counted returns stem~suffix.ext, whose suffix nothing else is given, with a
// counter if a user has taken just that name.
func (l *tree) counted(tx kv.Tx, at place, suffix string, given givenNames) zsync.Name {
	name, _ := decorate(at.name, suffix)
	for n := 2; !l.free(tx, place{at.parent, name}, given); n++ {
		name, _ = decorate(at.name, suffix+"~"+strconv.Itoa(n))
	}
	return name
}

// copies names the conflict copies beside a node that is shown at that place.
func (l *tree) copies(tx kv.Tx, at place, versions []version) (copies []copyVersion) {
	given := givenNames{}
	for _, v := range versions {
		name := l.copyName(tx, at, v, given)
		given[name] = true
		copies = append(copies, copyVersion{name: name, version: v})
	}
	return copies
}

// copyName returns stem~conflict-<when>-<whose>-<which>.ext, by the event that
// wrote the version. The short form names the event by 4 hex digits, and the
// operation only where it is not the first.
func (l *tree) copyName(tx kv.Tx, at place, v version, given givenNames) zsync.Name {
	when := time.UnixMilli(int64(min(v.wallMS, wallMSMax))).UTC().Format("20060102-150405")
	front := copyMark + when + "-" + v.author.String()[:6] + "-"
	event, index := v.dot.Event.String(), "."+strconv.FormatUint(uint64(v.dot.Index), 10)
	short := front + event[:4]
	if v.dot.Index > 0 {
		short += index
	}
	name, whole := decorate(at.name, short)
	if whole && !l.twinned(tx, at, v.dot.Index) && l.free(tx, place{at.parent, name}, given) {
		return name
	}
	return l.counted(tx, at, front+event+index, given)
}

// twinned reports whether the index in a copy's name could be taken for an
// extension: the copy of "log" by operation 1 would be named as that of "log.1"
// by operation 0 of the same event.
func (l *tree) twinned(tx kv.Tx, at place, index uint32) bool {
	if _, ext := split(at.name); ext != "" || index == 0 {
		return false
	}
	twin := fmt.Sprintf("%s.%d", at.name, index)
	return strings.Contains(twin, "~") || l.claimed(tx, place{at.parent, zsync.Name(twin)})
}

// namesakes returns the visible nodes that may be shown as p, or have a copy
// that is, or be shown otherwise because p is in use.
func (l *tree) namesakes(tx kv.Tx, p place) []uint64 {
	nodes := l.peel(tx, p, layersMax)
	if stem, ext := split(p.name); isNumber(ext) {
		nodes = append(nodes, l.slot(tx, place{p.parent, zsync.Name(stem)})...)
	}
	return nodes
}

// peel returns the nodes located at p, and at what p is without the suffixes
// that this package may have added to it. The index that ends a copy's name can
// pass for an extension, so both readings are tried.
func (l *tree) peel(tx kv.Tx, p place, layers int) []uint64 {
	nodes := slices.Clip(l.slot(tx, p))
	stem, ext := split(p.name)
	before, suffix, found := cutLast(stem)
	if layers == 0 || !found && !strings.Contains(ext, "~") {
		return nodes
	}
	if found {
		nodes = append(nodes, l.suffixed(tx, p, suffix)...)
		nodes = append(nodes, l.peel(tx, place{p.parent, zsync.Name(before + ext)}, layers-1)...)
	}
	if ext != "" {
		before, suffix, _ = cutLast(string(p.name))
		nodes = append(nodes, l.suffixed(tx, p, suffix)...)
		nodes = append(nodes, l.peel(tx, place{p.parent, zsync.Name(before)}, layers-1)...)
	}
	return nodes
}

func cutLast(text string) (before, suffix string, found bool) {
	i := strings.LastIndexByte(text, '~')
	if i < 0 {
		return text, "", false
	}
	return text[:i], text[i+1:], true
}

// suffixed returns the node that a long suffix names: a shortened stem does not
// lead to it.
func (l *tree) suffixed(tx kv.Tx, p place, suffix string) []uint64 {
	node, found := uint64(0), false
	if text, isCopy := strings.CutPrefix(suffix, copyMark); isCopy {
		node, found = l.copied(tx, text[strings.LastIndexByte(text, '-')+1:])
	} else if id, err := hex.DecodeString(suffix); err == nil && len(id) == len(zsync.NodeID{}) {
		node, found = l.nodeOf(tx, zsync.NodeID(id))
	}
	if !found || node == rootNode || !l.load(tx, node).visible() {
		return nil
	}
	return []uint64{node}
}

// copied returns the node that an operation, given as <64 hex>.<index>, made a
// version of.
func (l *tree) copied(tx kv.Tx, text string) (uint64, bool) {
	digits, number, _ := strings.Cut(text, ".")
	event, err := hex.DecodeString(digits)
	index, err2 := strconv.ParseUint(number, 10, 32)
	if err != nil || err2 != nil || len(event) != len(zsync.EventID{}) {
		return 0, false
	}
	node := nodeIn(tx.Get(bucketFolded, event), uint32(index))
	return node, node != 0
}

// isNumber reports whether an extension could be the index of a copy.
func isNumber(ext string) bool {
	return len(ext) > 1 && strings.Trim(ext[1:], "0123456789") == ""
}

// maybeCopy reports whether a conflict copy could have that name.
func maybeCopy(name zsync.Name) bool { return strings.Contains(string(name), "~"+copyMark) }
