package crashfs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync/store"
)

// FoldNames makes the disk take names for one that differ only in capital letters or
// in how letters with marks are composed, as those of phones, sticks and most laptops
// do. A name stays as it was given.
func (f *FS) FoldNames() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.folds = true
}

// ForbidNames makes the disk refuse the names that sticks do: those with one of
// `<>:"\|?*` or a control character in them.
func (f *FS) ForbidNames() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.strict = true
}

// same is what two names have in common that this disk takes for one.
func (f *FS) same(name string) string {
	if !f.folds {
		return name
	}
	return norm.NFD.String(cases.Fold().String(norm.NFD.String(name)))
}

// called returns the name under which a directory has what name leads to, or name.
func (f *FS) called(in *node, name string) string {
	if !f.folds || in.entries[name] != nil {
		return name
	}
	want := f.same(name)
	for _, other := range slices.Sorted(maps.Keys(in.entries)) {
		if f.same(other) == want {
			return other
		}
	}
	return name
}

// entry returns what name leads to in a directory, or nil.
func (f *FS) entry(in *node, name string) *node { return in.entries[f.called(in, name)] }

// unfit returns an error for a name that the disk gives to nothing.
func (f *FS) unfit(call, name string) error {
	bad := func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"\|?*`, r) }
	if f.strict && strings.ContainsFunc(name, bad) {
		return fmt.Errorf("%s %q: %w", call, name, store.ErrUnfit)
	}
	return nil
}
