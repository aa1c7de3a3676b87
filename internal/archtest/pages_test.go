package archtest

import (
	"go/ast"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestEveryPackageHasOneComment(t *testing.T) {
	for _, p := range packages(t) {
		var commented []string
		for _, f := range files(t, p.name()) {
			text := strings.TrimSpace(f.ast.Doc.Text())
			if text == "" {
				continue
			}
			commented = append(commented, f.base)
			if name := f.ast.Name.Name; name != "main" && !strings.HasPrefix(text, "Package "+name+" ") {
				t.Errorf("%s: the comment of a package begins with \"Package %s \"", f.at(f.ast), name)
			}
		}
		if len(commented) != 1 {
			t.Errorf("%s has %d package comments (%s): the tour is in one place", p.name(), len(commented), strings.Join(commented, ", "))
		}
	}
}

func TestEveryExportedNameHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range files(t, p.name()) {
			for _, declared := range f.ast.Decls {
				function, ok := declared.(*ast.FuncDecl)
				if ok && function.Name.IsExported() && exportedReceiver(function) && function.Doc == nil && !spoken[function.Name.Name] {
					t.Errorf("%s: %s says nothing of what it promises", f.at(function), function.Name.Name)
				}
			}
		}
	}
}

// spoken are methods whose whole contract is their name.
var spoken = map[string]bool{"String": true, "Error": true, "Unwrap": true, "Len": true, "Less": true, "Swap": true}

// exportedReceiver reports whether a reader of the documentation meets the
// function: it is no method, or one of a type that is exported itself.
func exportedReceiver(function *ast.FuncDecl) bool {
	if function.Recv == nil {
		return true
	}
	receiver := function.Recv.List[0].Type
	for {
		switch r := receiver.(type) {
		case *ast.StarExpr:
			receiver = r.X
		case *ast.IndexExpr:
			receiver = r.X
		case *ast.Ident:
			return r.IsExported()
		default:
			return true
		}
	}
}

// In running text a file is named between backquotes, or linked to.
var (
	quoted = regexp.MustCompile("`([^`\\s]+)`")
	linked = regexp.MustCompile(`\]\(([^)\s#]+)[^)]*\)`)
)

// inText returns what a page names in its running text, and what it links to.
func inText(text string) (names, links []string) {
	for _, match := range quoted.FindAllStringSubmatch(outsideFences(text), -1) {
		names = append(names, match[1])
	}
	for _, match := range linked.FindAllStringSubmatch(outsideFences(text), -1) {
		links = append(links, match[1])
	}
	return names, links
}

// fences splits a page at its fenced blocks: text, block, text, block, ...
func fences(text string) []string { return regexp.MustCompile("(?m)^```.*$").Split(text, -1) }

func outsideFences(text string) string {
	var outside []string
	for i, part := range fences(text) {
		if i%2 == 0 {
			outside = append(outside, part)
		}
	}
	return strings.Join(outside, "\n")
}

// sourceNames are the ends of names that can only be files of this repository.
var sourceNames = []string{".go", ".md", ".mod", ".sum", ".yml"}

// isMissing reports whether a word of a page names something of this repository
// that is not there. A bare file name may be anywhere; anything with a slash
// that begins with a directory of ours is a path from the root.
func (all tree) isMissing(word string) bool {
	word = strings.TrimSuffix(word, "/")
	first, _, nested := strings.Cut(word, "/")
	switch {
	case all.paths[word]:
		return false
	case !nested:
		return hasSourceName(word) && !all.bases[word]
	case !all.paths[first]:
		return hasSourceName(word)
	}
	// zre/node.Start names a symbol of zre/node.
	symbolOf := strings.TrimSuffix(word, path.Ext(word))
	return !all.paths[symbolOf]
}

func hasSourceName(word string) bool {
	for _, end := range sourceNames {
		if strings.HasSuffix(word, end) {
			return true
		}
	}
	return false
}

func TestEveryFileThatArchitectureNamesExists(t *testing.T) {
	all := readTree(t)
	const name = "docs/ARCHITECTURE.md"
	text := page(t, name)
	names, links := inText(text)
	for _, word := range names {
		if all.isMissing(word) {
			t.Errorf("%s names %s, which is not there", name, word)
		}
	}
	for _, link := range links {
		if !strings.Contains(link, "://") && !all.paths[path.Join("docs", link)] {
			t.Errorf("%s links to %s, which is not there", name, link)
		}
	}
	for _, word := range drawn(text) {
		if !all.paths[strings.TrimSuffix(word, "/")] {
			t.Errorf("%s draws %s, which is not there", name, word)
		}
	}
}

func TestTreeInReadmeExists(t *testing.T) {
	all := readTree(t)
	text := page(t, "README.md")
	for _, word := range drawn(text) {
		if !all.paths[strings.TrimSuffix(word, "/")] {
			t.Errorf("README.md draws %s, which is not there", word)
		}
	}
	names, links := inText(text)
	for _, word := range names {
		if strings.HasPrefix(word, "docs/") && all.isMissing(word) {
			t.Errorf("README.md names %s, which is not there", word)
		}
	}
	for _, link := range links {
		if !strings.Contains(link, "://") && !all.paths[path.Clean(link)] {
			t.Errorf("README.md links to %s, which is not there", link)
		}
	}
}

func TestArchitectureDrawsEveryPackage(t *testing.T) {
	trees := drawn(page(t, "docs/ARCHITECTURE.md"))
	for _, p := range packages(t) {
		inside := func(word string) bool { return within(p.name(), strings.TrimSuffix(word, "/")) }
		found := p.name() == "."
		for _, word := range trees {
			found = found || inside(word)
		}
		if !found {
			t.Errorf("docs/ARCHITECTURE.md does not draw %s", p.name())
		}
	}
}

// drawn returns the paths that the trees of a page's fenced blocks begin their
// lines with: each line of a tree is one or more paths, then what they are.
func drawn(text string) (paths []string) {
	for i, part := range fences(text) {
		if i%2 == 0 {
			continue
		}
		for line := range strings.Lines(part) {
			for _, word := range strings.Fields(strings.TrimLeft(line, "├└─│ ")) {
				if !strings.HasSuffix(word, "/") && !hasSourceName(word) || strings.ContainsAny(word, "$<>:~*") {
					break
				}
				paths = append(paths, expanded(word)...)
			}
		}
	}
	return paths
}

// expanded returns the paths that a word with one pair of braces stands for.
func expanded(word string) []string {
	before, rest, found := strings.Cut(word, "{")
	inner, after, closed := strings.Cut(rest, "}")
	if !found || !closed {
		return []string{word}
	}
	var words []string
	for _, choice := range strings.Split(inner, ",") {
		words = append(words, before+choice+after)
	}
	return words
}
