package replica

import (
	"path"
	"strings"

	"github.com/zsync/zsync"
)

// ignorer knows the names that are left alone. Most patterns are a name, or how
// one begins or ends: these are compared, the others matched.
type ignorer struct {
	names, prefixes, suffixes, others []string
}

func newIgnorer(patterns []string) (i ignorer) {
	for _, pattern := range patterns {
		begin, beginStar := strings.CutSuffix(pattern, "*")
		end, endStar := strings.CutPrefix(pattern, "*")
		switch {
		case !strings.ContainsAny(pattern, `*?[\`):
			i.names = append(i.names, pattern)
		case endStar && !strings.ContainsAny(end, `*?[\`):
			i.suffixes = append(i.suffixes, end)
		case beginStar && !strings.ContainsAny(begin, `*?[\`):
			i.prefixes = append(i.prefixes, begin)
		default:
			i.others = append(i.others, pattern)
		}
	}
	return i
}

// ignores reports whether a name that D does not know is to be left alone.
func (i *ignorer) ignores(name string) bool {
	if name == zsync.PrivateDir {
		return true // a folder within this one has its own there
	}
	for _, same := range i.names {
		if name == same {
			return true
		}
	}
	for _, end := range i.suffixes {
		if strings.HasSuffix(name, end) {
			return true
		}
	}
	for _, begin := range i.prefixes {
		if strings.HasPrefix(name, begin) {
			return true
		}
	}
	for _, pattern := range i.others {
		if match, err := path.Match(pattern, name); match && err == nil {
			return true
		}
	}
	return false
}
