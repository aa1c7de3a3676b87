package replica

import (
	"path"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesAreIgnoredAsPathMatchSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		patterns := rapid.SliceOfN(rapid.StringMatching(`[ab*?\[\]\\]{0,4}`), 0, 3).Draw(t, "patterns")
		name := rapid.StringMatching(`[ab*?]{1,5}`).Draw(t, "name")
		want := false
		for _, pattern := range patterns {
			match, err := path.Match(pattern, name)
			want = want || match && err == nil
		}
		if i := newIgnorer(patterns); i.ignores(name) != want {
			t.Fatalf("%q and %q: %t", patterns, name, !want)
		}
	})
}
