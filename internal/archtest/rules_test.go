package archtest

import (
	"go/parser"
	"go/token"
	"slices"
	"testing"
)

// A rule that never refuses anything protects nothing: here each is shown what
// it is there for.

func TestLatticeRefusesWhatItShould(t *testing.T) {
	for _, c := range []struct {
		pkg, imported string
		allowed       bool
	}{
		{"zre", ".", true},
		{"zre", "internal/wire", true},
		{"zre", "filemq", false},
		{"eventlog", "security", false},
		{"security", "internal/kv/bolt", false},
		{"internal/wire", ".", false},
		{"replica", "eventlog", true},
		{"replica", "store", true},
		{"replica", "zre", false},
		{"replica", "internal/device", false},
		{"internal/device", "replica", true},
		{"internal/device", "internal/disk", false},
		{"internal/disk", "internal/zeromq", false},
		{"zre/node", "zre", true},
		{"zre/node", "internal/zeromq", true},
		{"internal/zeromq", "zre/node", false},
		{"cmd/zsync", "internal/zeromq", true},
		{"scripts/bench", "scripts/demo", false},
	} {
		if why := refusal(c.pkg, c.imported); (why == "") != c.allowed {
			t.Errorf("%s imports %s: %q", c.pkg, c.imported, why)
		}
	}
	if rowOf("examples/chat") != 5 || rowOf("internal/util") != -1 || rowOf("zrex") != -1 {
		t.Error("rows are read wrongly")
	}
}

func TestClocksAreFoundUnderEveryName(t *testing.T) {
	const source = `package p
import (
	"time"
	clock "time"
	"math/rand/v2"
	other "example.com/time"
)
var a, b, c = time.Now(), clock.Since(time.Time{}), rand.IntN(3)
var d func() time.Time = clock.Now
var e, f = other.Now(), time.Second
`
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, "p.go", source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, use := range bannedUses(file{"p", "p.go", parsed, set}) {
		found = append(found, use.Sel.Name)
	}
	if want := []string{"Now", "Since", "IntN", "Now"}; !slices.Equal(found, want) {
		t.Fatalf("found %v, want %v", found, want)
	}
}

func TestWordsOfAPageAreHeldAgainstTheTree(t *testing.T) {
	all := tree{
		paths: map[string]bool{"zre": true, "zre/node.go": true, "docs": true, "docs/formats.md": true},
		bases: map[string]bool{"node.go": true, "formats.md": true},
	}
	for word, missing := range map[string]bool{
		"zre": false, "zre/": false, "zre/node.go": false, "node.go": false, "docs/formats.md": false,
		"zre.Node": false, "rename()": false, ".zsync/tmp": false, "key": false, "tcp://host:1": false,
		"gone.go": true, "zre/gone.go": true, "zre/gone": true, "gone/": false, "gone/page.md": true,
	} {
		if got := all.isMissing(word); got != missing {
			t.Errorf("%s: missing %v", word, got)
		}
	}
}

func TestTreesAreReadOffAPage(t *testing.T) {
	const text = "`zre/node.go` and [a page](docs/formats.md#top)\n" +
		"```\nzsync.go id.go path.go   the words\nzre/   discovery\n├── internal/{kv,wire}/   two\n$ ls zre/\n~/Photos/ what\nno/tree here/\n```\n" +
		"`after`"
	want := []string{"zsync.go", "id.go", "path.go", "zre/", "internal/kv/", "internal/wire/"}
	if got := drawn(text); !slices.Equal(got, want) {
		t.Errorf("drawn %q, want %q", got, want)
	}
	names, links := inText(text)
	if !slices.Equal(names, []string{"zre/node.go", "after"}) || !slices.Equal(links, []string{"docs/formats.md"}) {
		t.Errorf("in text %q, %q", names, links)
	}
}
