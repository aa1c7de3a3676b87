package zsync

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

const (
	// NameBytesMax is the longest name of a file or directory, in octets.
	NameBytesMax = 255
	// PathDepthMax is the deepest that a file may lie below the folder's root.
	PathDepthMax = 128
	// SymlinkBytesMax is the longest target of a symbolic link, in octets.
	SymlinkBytesMax = 4096
	// ContentChunkMax is the largest content that is named by the SHA-256 of its
	// own bytes, and the largest chunk of a larger one, in octets.
	ContentChunkMax = 1 << 20
)

// PrivateDir is the directory at a folder's root that belongs to zsync: never
// listed, never shared, and refused as a name at the root.
const PrivateDir = ".zsync"

// ErrName is wrapped by every error about a name or path that no folder may hold.
var ErrName = errors.New("unusable name")

// Name is one component of a path, as the user typed it: 1 to [NameBytesMax]
// octets of UTF-8 without '/' and NUL, and not "." or "..".
type Name string

// ParseName is the only door to a Name for bytes from a disk or a peer.
func ParseName(text string) (Name, error) {
	switch {
	case text == "" || text == "." || text == "..":
		return "", fmt.Errorf("%w %q", ErrName, text)
	case len(text) > NameBytesMax:
		return "", fmt.Errorf("%w: %d octets, at most %d", ErrName, len(text), NameBytesMax)
	case !utf8.ValidString(text):
		return "", fmt.Errorf("%w %q: not UTF-8", ErrName, text)
	case strings.ContainsAny(text, "/\x00"):
		return "", fmt.Errorf("%w %q: holds '/' or NUL", ErrName, text)
	}
	return Name(text), nil
}

// Path is a file's place below the folder's root: names joined by '/', never
// beginning or ending with one. The empty Path is the root itself.
type Path string

// ParsePath is the only door to a Path for text from a person or a peer. The
// private directory is no path.
func ParsePath(text string) (Path, error) {
	if text == "" {
		return "", nil
	}
	parts := strings.Split(text, "/")
	if len(parts) > PathDepthMax {
		return "", fmt.Errorf("%w: %d levels deep, at most %d", ErrName, len(parts), PathDepthMax)
	}
	for _, part := range parts {
		if _, err := ParseName(part); err != nil {
			return "", err
		}
	}
	if parts[0] == PrivateDir {
		return "", fmt.Errorf("%w %q: belongs to zsync", ErrName, text)
	}
	return Path(text), nil
}

// Join returns the path of name in directory p.
func (p Path) Join(name Name) Path {
	if p == "" {
		return Path(name)
	}
	return p + "/" + Path(name)
}

// Dir returns the directory that holds p; the root's is the root.
func (p Path) Dir() Path {
	if i := strings.LastIndexByte(string(p), '/'); i >= 0 {
		return p[:i]
	}
	return ""
}

// Base returns the last name of p.
func (p Path) Base() Name {
	return Name(p[strings.LastIndexByte(string(p), '/')+1:])
}
