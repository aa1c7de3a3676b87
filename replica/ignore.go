package replica

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/zsync/zsync"
)

const (
	// IgnorePatternsMax is how many patterns a folder has at most, and a device of its
	// own for it. Of more, those that were set first are in force.
	IgnorePatternsMax = 1000
	// PatternBytesMax is the longest pattern, in octets.
	PatternBytesMax = 1000
)

// ErrPattern is wrapped by every error about a pattern that does not parse.
var ErrPattern = errors.New("not a pattern")

// DefaultIgnore is what is left alone unless a folder's settings or a [Config] say
// otherwise: half-done downloads, locks and swap files of editors, litter of
// desktops, and zsync's own directory in whatever place.
var DefaultIgnore = []string{
	"*.crdownload", "*.part", "*.partial", "~$*", ".*.sw?", ".DS_Store", "Thumbs.db", "desktop.ini", privatePattern,
}

const privatePattern = zsync.PrivateDir + "/"

// patternKind says how a pattern is compared. Most are a name, or how one begins or
// ends: these need no matcher.
type patternKind uint8

const (
	patternGlob patternKind = iota
	patternName
	patternPrefix
	patternSuffix
)

// pattern is one line of gitignore(5).
type pattern struct {
	text   string // as a person wrote it
	glob   string // for doublestar, or what kind compares with
	kind   patternKind
	not    bool // "!": what an earlier pattern ignores is not ignored
	dir    bool // a "/" at the end: directories alone
	byName bool // no other "/": it is about the last name of a path
}

// ParsePattern returns a pattern as it is kept, without the spaces at its end that
// mean nothing. The error, an [ErrPattern], says what is wrong.
func ParsePattern(text string) (string, error) {
	p, err := parsePattern(text)
	return p.text, err
}

func parsePattern(text string) (p pattern, err error) {
	for strings.HasSuffix(text, " ") && !strings.HasSuffix(text, `\ `) {
		text = text[:len(text)-1]
	}
	if err := checkText(text); err != nil {
		return p, err
	}
	p.text = text
	glob, not := strings.CutPrefix(text, "!")
	glob, dir := strings.CutSuffix(glob, "/")
	p.not, p.dir, p.byName = not, dir, !strings.Contains(glob, "/")
	p.glob = strings.TrimPrefix(glob, "/")
	if p.glob == "" || strings.Contains(glob, "//") || strings.HasSuffix(glob, "/") {
		return p, fmt.Errorf("%w: %q names nothing, since no name between two slashes is empty", ErrPattern, text)
	}
	if p.kind, p.glob = plain(p.glob, p.byName); p.kind != patternGlob {
		return p, nil
	}
	p.glob = globOf(p.glob)
	if !doublestar.ValidatePattern(p.glob) {
		return p, fmt.Errorf(`%w: %q has a "[" without its "]", or a "\" at its end`, ErrPattern, text)
	}
	return p, nil
}

func checkText(text string) error {
	switch {
	case text == "" || strings.HasPrefix(text, "#"):
		return fmt.Errorf(`%w: %q is empty or a comment; for a name that begins with "#" write "\#"`, ErrPattern, text)
	case len(text) > PatternBytesMax:
		return fmt.Errorf("%w: it has %d octets, at most %d", ErrPattern, len(text), PatternBytesMax)
	case !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\n\r"):
		return fmt.Errorf("%w: %q is not one line of UTF-8", ErrPattern, text)
	}
	return nil
}

// plain finds a pattern that is compared and not matched.
func plain(glob string, byName bool) (patternKind, string) {
	const special = `*?[\`
	begin, beginStar := strings.CutSuffix(glob, "*")
	end, endStar := strings.CutPrefix(glob, "*")
	switch {
	case !strings.ContainsAny(glob, special):
		return patternName, glob
	case byName && endStar && !strings.ContainsAny(end, special):
		return patternSuffix, end
	case byName && beginStar && !strings.ContainsAny(begin, special):
		return patternPrefix, begin
	}
	return patternGlob, glob
}

// globOf says for doublestar what git means. To git three asterisks are two, braces
// are letters, and "a/**" is all that is in a, but not a itself.
func globOf(glob string) string {
	for strings.Contains(glob, "***") {
		glob = strings.ReplaceAll(glob, "***", "**")
	}
	if strings.HasSuffix(glob, "/**") {
		glob += "/*"
	}
	var out strings.Builder
	for i := 0; i < len(glob); i++ {
		switch c := glob[i]; {
		case c == '\\' && i+1 < len(glob):
			out.WriteByte(c)
			i++
		case c == '{' || c == '}':
			out.WriteByte('\\')
		}
		out.WriteByte(glob[i])
	}
	return out.String()
}

func (p *pattern) matches(path string, dir bool) bool {
	if p.dir && !dir {
		return false
	}
	if p.byName {
		path = path[strings.LastIndexByte(path, '/')+1:]
	}
	switch p.kind {
	case patternName:
		return path == p.glob
	case patternPrefix:
		return strings.HasPrefix(path, p.glob)
	case patternSuffix:
		return strings.HasSuffix(path, p.glob)
	default:
		return doublestar.MatchUnvalidated(p.glob, path)
	}
}

// ignorer is the patterns in force, in their order.
type ignorer struct{ patterns []pattern }

// newIgnorer takes patterns, of which those that do not parse are left out.
func newIgnorer(texts []string) (i ignorer) {
	for _, text := range texts {
		if p, err := parsePattern(text); err == nil {
			i.patterns = append(i.patterns, p)
		}
	}
	return i
}

// ignores reports whether what is at path is to be left alone, if the directory
// that it is in is not: the last pattern that matches says so.
func (i *ignorer) ignores(path string, dir bool) bool {
	_, ignored := i.by(path, dir)
	return ignored
}

// by returns the pattern that says so, too.
func (i *ignorer) by(path string, dir bool) (text string, ignored bool) {
	if path == zsync.PrivateDir || strings.HasSuffix(path, "/"+zsync.PrivateDir) {
		return privatePattern, true // a folder within this one has its own there
	}
	if strings.HasPrefix(path, parkedPrefix) {
		return "", false // which is on its way, whatever a pattern says of such names
	}
	for n := len(i.patterns) - 1; n >= 0; n-- {
		if p := &i.patterns[n]; p.matches(path, dir) {
			return p.text, !p.not
		}
	}
	return "", false
}

// ignoresWithin reports the same of a path and all directories on its way.
func (i *ignorer) ignoresWithin(path string, dir bool) bool {
	for n := range len(path) {
		if path[n] == '/' && i.ignores(path[:n], true) {
			return true
		}
	}
	return path != "" && i.ignores(path, dir)
}
