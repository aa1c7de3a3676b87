package replica

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestPatternsIgnoreWhatGitIgnores reads what `git check-ignore` of git 2.39 says.
func TestPatternsIgnoreWhatGitIgnores(t *testing.T) {
	file, err := os.Open("testdata/gitignore.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var patterns []string
	var rules ignorer
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		verdict, rest, _ := strings.Cut(lines.Text(), " ")
		if verdict == "patterns" {
			patterns = quotedTexts(t, rest)
			rules = newIgnorer(patterns)
			continue
		}
		path, err := strconv.Unquote(rest)
		if err != nil {
			t.Fatal(err)
		}
		if got := rules.ignoresWithin(path, false); got != (verdict == "ignored") {
			t.Errorf("%q: %q is to be %s", patterns, path, verdict)
		}
	}
	if len(patterns) == 0 {
		t.Fatal("no patterns")
	}
}

// quotedTexts reads what %q prints of a slice.
func quotedTexts(t *testing.T, list string) (texts []string) {
	list = strings.ReplaceAll(list, `" "`, `","`)
	if err := json.Unmarshal([]byte(list), &texts); err != nil {
		t.Fatalf("%s: %v", list, err)
	}
	return texts
}

func TestAPatternThatDoesNotParseIsRefusedWithASentence(t *testing.T) {
	for _, text := range []string{
		"", "  ", "# comment", "/", "!", "!/", "a//b", "a//", "[a", "a[", `a\`, "a\nb", "a\x00", "\xff",
		strings.Repeat("a", PatternBytesMax+1),
	} {
		if _, err := ParsePattern(text); !errors.Is(err, ErrPattern) || len(err.Error()) < 25 {
			t.Errorf("%q: %v", text, err)
		}
	}
	if text, err := ParsePattern(`a\   `); err != nil || text != `a\ ` {
		t.Errorf("%q, %v", text, err)
	}
}

func TestTheDefaultListIsThatOfTheManual(t *testing.T) {
	rules := newIgnorer(DefaultIgnore)
	if len(rules.patterns) != len(DefaultIgnore) {
		t.Fatalf("%d of %d parse", len(rules.patterns), len(DefaultIgnore))
	}
	for path, want := range map[string]bool{
		"x.crdownload": true, "d/x.part": true, "x.partial": true, "~$letter.docx": true, ".x.swp": true,
		"d/.DS_Store": true, "Thumbs.db": true, "desktop.ini": true, "d/.zsync": true, ".zsync/id": true,
		"x.jpg": false, "part": false, "x.swp": false,
	} {
		if got := rules.ignoresWithin(path, false); got != want {
			t.Errorf("%s: %t", path, got)
		}
	}
}

func FuzzPatternsAreKeptInTheFormThatTheyParseTo(f *testing.F) {
	for _, seed := range slices.Concat(DefaultIgnore, []string{"a/**", `[!a-b]?\*`, "!{x}/", "**/a**b/***", "[", `\`}) {
		f.Add(seed, "a/b.part")
	}
	f.Fuzz(func(t *testing.T, text, path string) {
		kept, err := ParsePattern(text)
		if err != nil {
			return
		}
		if again, err := ParsePattern(kept); err != nil || again != kept {
			t.Fatalf("%q is kept as %q, which parses to %q, %v", text, kept, again, err)
		}
		rules := newIgnorer([]string{kept})
		rules.ignoresWithin(path, true)
	})
}
