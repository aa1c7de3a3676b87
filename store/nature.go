package store

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
)

// Nature is what a disk makes of names. The zero Nature takes every [zsync.Name], and
// no two for one.
type Nature struct {
	Cases  bool // names that differ only in capital letters are one
	Forms  bool // names that differ only in how letters with marks are composed are one
	Strict bool // names with one of <>:"\|?* in them are refused, and others that Windows refuses
	Long   int  // the octets of the longest name; 0 means zsync.NameBytesMax
}

// IsPlain reports whether each name is held, as it is, beside all others.
func (n Nature) IsPlain() bool { return n == Nature{} }

// Folds reports whether there are two names that are one on this disk.
func (n Nature) Folds() bool { return n.Cases || n.Forms }

// Key returns what all names have in common that are one on this disk, and perhaps some
// that are not: of two disks that fold case hardly any fold it alike.
func (n Nature) Key(name zsync.Name) zsync.Name {
	switch {
	case !n.Folds():
		return name
	case isASCII(name) && n.Cases:
		return zsync.Name(strings.ToLower(string(name)))
	case isASCII(name):
		return name
	case !n.Cases:
		return zsync.Name(norm.NFC.String(string(name)))
	}
	return zsync.Name(norm.NFC.String(cases.Fold().String(norm.NFD.String(string(name)))))
}

func isASCII(name zsync.Name) bool {
	return strings.IndexFunc(string(name), func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

// Room is how many octets a name may have.
func (n Nature) Room() int {
	if n.Long == 0 {
		return zsync.NameBytesMax
	}
	return n.Long
}

// Holds reports whether the disk can give the name to something. A disk that takes
// names for one would take some for the private directory's.
func (n Nature) Holds(name zsync.Name) bool {
	private := n.Folds() && name != privateDir && n.Key(name) == privateDir
	return len(name) <= n.Room() && !private && !(n.Strict && isRefused(name))
}

// The names that Windows refuses, and so the disks that were made for it: what is in
// strictRunes, ends in a dot or a space, or is, before its first dot, a device's.
const strictRunes = `<>:"\|?*`

var strictDevices = []string{"con", "prn", "aux", "nul", "conin$", "conout$"}

func isRefused(name zsync.Name) bool {
	text := strings.ToLower(string(name))
	stem, _, _ := strings.Cut(text, ".")
	stem = strings.TrimRight(stem, " ")
	port := len(stem) == 4 && (strings.HasPrefix(stem, "com") || strings.HasPrefix(stem, "lpt")) && stem[3] >= '0' && stem[3] <= '9'
	return strings.ContainsFunc(text, isStrictRune) || strings.HasSuffix(text, ".") || strings.HasSuffix(text, " ") ||
		port || slices.Contains(strictDevices, stem)
}

func isStrictRune(r rune) bool { return r < ' ' || strings.ContainsRune(strictRunes, r) }

// Fit returns the name without what the disk refuses of it: it may still be too long,
// or one that a device of Windows has.
func (n Nature) Fit(name zsync.Name) zsync.Name {
	if !n.Strict {
		return name
	}
	text := strings.Map(func(r rune) rune {
		if isStrictRune(r) {
			return '_'
		}
		return r
	}, string(name))
	return zsync.Name(strings.TrimRight(text, ". "))
}

// Nature tells what the folder's disk makes of names; false when that could not be
// found out.
func (r *Root) Nature() (nature Nature, known bool) {
	if !r.natured {
		return Nature{}, false
	}
	return r.nature, true
}

// The names that a disk is tried with, in tmp, of which nothing stays. Where the
// folder's root lies a directory below has the nature of the one above.
const (
	probeName = "probe-\u00e9"
	probeForm = "probe-e\u0301"
	probeCase = "PROBE-\u00e9"
	probeMark = "?"
)

// lengths are how long, in octets, the longest names of the disks in use are: those
// that encrypt names take shorter ones. The first leaves room for probeForm.
var lengths = []int{zsync.NameBytesMax - 1, 143, 127, 64}

// probe finds out the disk's nature, on most disks by one name. known is false where
// the disk takes no name at this moment.
func probe(tmp Dir) (n Nature, known bool) {
	rest := probeMark + strings.Repeat("x", lengths[0]-len(probeName+probeMark))
	held, refused := tries(tmp, probeName+rest, func() { n = folding(tmp, rest) })
	if held || !refused {
		return n, held
	}
	if held, _ = tries(tmp, probeName, func() { n = folding(tmp, "") }); !held {
		return n, false
	}
	if held, n.Strict = tries(tmp, "probe-"+probeMark, func() {}); !held && !n.Strict {
		return n, false
	}
	for i, octets := range lengths {
		held, refused := tries(tmp, "probe-"+strings.Repeat("x", octets-len("probe-")), func() {})
		if i > 0 {
			n.Long = octets
		}
		if held || !refused {
			return n, held
		}
	}
	return n, false
}

// folding tells which other spellings lead to what is called probeName.
func folding(tmp Dir, rest string) Nature {
	_, noCase := tmp.Stat(probeCase + rest)
	_, noForm := tmp.Stat(probeForm + rest)
	return Nature{Cases: noCase == nil, Forms: noForm == nil}
}

// tries has a file with that name for as long as do takes. refused: the disk does not
// take the name.
func tries(tmp Dir, name string, do func()) (held, refused bool) {
	err := tmp.Write(name, nil)
	if errors.Is(err, fs.ErrExist) && tmp.Remove(name) == nil { // a crash has left it
		err = tmp.Write(name, nil)
	}
	if err != nil {
		return false, errors.Is(err, ErrUnfit) || errors.Is(err, fs.ErrNotExist)
	}
	do()
	_ = tmp.Remove(name) // the next start finds it
	return true, false
}
