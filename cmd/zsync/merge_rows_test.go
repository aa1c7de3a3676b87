package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mergeRow is one situation of the merge table, which replica's tests play on the
// fold alone: what was there, what two people did to it who did not hear of each other, and
// the tree that every device has then. What the right one did is newer by the log.
// Afterwards the left one does something more while all are connected.
//
// A tree is its paths in order: "d/" a directory, "a=one" a file and its text, with
// its mode where it is not the usual one. "~left" and "~right" stand for the suffix
// of a conflict copy of what that device wrote, "~node" for that of a name that two
// files claim.
type mergeRow struct {
	situation           string
	before, left, right string
	tree                string
	after, treeAfter    string
}

var mergeRows = []mergeRow{
	{situation: "01 edit, edit", before: "put a one", left: "put a two", right: "put a three", tree: "a=three a~left=two"},
	{situation: "02 edit, edit, same bytes", before: "put a one", left: "put a two", right: "put a two", tree: "a=two", after: "put a three", treeAfter: "a=three"},
	{situation: "03 edit, delete", before: "put a one", left: "put a two", right: "del a", tree: "a=two"},
	{situation: "03 delete, edit", before: "put a one", left: "del a", right: "put a two", tree: "a=two"},
	{situation: "04 delete, delete", before: "put a one", left: "del a", right: "del a", tree: ""},
	{situation: "05 create, create, same bytes", left: "put a one", right: "put a one", tree: "a=one", after: "del a", treeAfter: ""},
	{situation: "06 create, create, other bytes", left: "put a one", right: "put a two", tree: "a=two a~left=one"},
	{situation: "07 rename, edit", before: "put a one", left: "mv a b", right: "put a two", tree: "b=two"},
	{situation: "07 edit, rename", before: "put a one", left: "put a two", right: "mv a b", tree: "b=two"},
	{situation: "08 rename, rename", before: "put a one", left: "mv a b", right: "mv a c", tree: "c=one"},
	{situation: "09 rename, delete", before: "put a one", left: "mv a b", right: "del a", tree: "b=one", after: "del b", treeAfter: ""},
	{situation: "09 delete, rename", before: "put a one", left: "del a", right: "mv a b", tree: "b=one"},
	{situation: "10 two files onto one name", before: "put a one\nput b two", left: "mv a c", right: "mv b c", tree: "c=one c~node=two"},
	{situation: "10 create and rename onto one name", before: "put b two", left: "put c one", right: "mv b c", tree: "c=one c~node=two"},
	{situation: "10 a file and a directory onto one name", before: "mkdir d\nput a one", left: "mv a x.y", right: "mv d x.y", tree: "x.y/ x~node.y=one"},
	{situation: "11 rename over a file, edit of that", before: "put a one\nput b two", left: "mv a b", right: "put b three", tree: "b=three b~left=one"},
	{
		situation: "12 two directories into each other", before: "mkdir a\nmkdir b\nput a/f one\nput b/g two",
		left: "mv a b/a", right: "mv b a/b", tree: "b/ b/a/ b/a/f=one b/g=two",
	},
	{
		situation: "12 three directories into each other", before: "mkdir a\nmkdir b\nmkdir c\nput c/f one",
		left: "mv a b/a\nmv b c/b", right: "mv c a/c", tree: "c/ c/b/ c/b/a/ c/f=one",
	},
	{
		situation: "14 file, directory", left: "put x.y one", right: "mkdir x.y", tree: "x.y/ x~left.y=one",
		after: "del x.y", treeAfter: "x.y=one",
	},
	{situation: "14 directory, file", left: "mkdir x\nput x/f one", right: "put x two", tree: "x/ x/f=one x~right=two"},
	{situation: "15 names that differ by case", left: "put a one", right: "put A two", tree: "A=two a=one"},
	{situation: "16 mode, mode", before: "put a one", left: "chmod a 700", right: "chmod a 600", tree: "a=one(600)"},
	{situation: "17 mode, edit", before: "put a one", left: "chmod a 700", right: "put a two", tree: "a=two(700)"},
	{situation: "17 edit, mode", before: "put a one", left: "put a two", right: "chmod a 700", tree: "a=two(700)"},
	{situation: "17 mode, rename", before: "put a one", left: "chmod a 700", right: "mv a b", tree: "b=one(700)"},
	{situation: "18 mode, delete", before: "put a one", left: "chmod a 700", right: "del a", tree: ""},
	{situation: "18 delete, mode", before: "put a one", left: "del a", right: "chmod a 700", tree: ""},
	{
		situation: "19 directory deleted, new file in it", before: "mkdir d", left: "del d", right: "put d/f one", tree: "d/ d/f=one",
		after: "del d/f", treeAfter: "",
	},
	{situation: "19 new file in a directory, that deleted", before: "mkdir d", left: "put d/f one", right: "del d", tree: "d/ d/f=one"},
	{
		situation: "20 directory deleted, file moved out", before: "mkdir d\nput d/f one\nput d/g two",
		left: "del d", right: "mv d/f f", tree: "f=one",
	},
	{
		situation: "20 file moved out, directory deleted", before: "mkdir d\nput d/f one\nput d/g two",
		left: "mv d/f f", right: "del d", tree: "f=one",
	},
	{
		situation: "21 directory deleted, file in it edited", before: "mkdir d\nmkdir d/e\nput d/e/f one\nput d/g two",
		left: "del d", right: "put d/e/f three", tree: "d/ d/e/ d/e/f=three",
	},
	{situation: "22 directory renamed, new file in it", before: "mkdir d\nput d/f one", left: "mv d e", right: "put d/g two", tree: "e/ e/f=one e/g=two"},
	{situation: "22 new file in a directory, that renamed", before: "mkdir d\nput d/f one", left: "put d/g two", right: "mv d e", tree: "e/ e/f=one e/g=two"},
	{
		situation: "23 edit beside a copy", before: "put a one", left: "put a two", right: "put a three", tree: "a=three a~left=two",
		after: "put a four", treeAfter: "a=four a~left=two",
	},
	{
		situation: "24 copy deleted", before: "put a.b one", left: "put a.b two", right: "put a.b three", tree: "a.b=three a~left.b=two",
		after: "dropcopy a.b", treeAfter: "a.b=three",
	},
	{
		situation: "24 copy edited", before: "put a one", left: "put a two", right: "put a three", tree: "a=three a~left=two",
		after: "keepcopy a four", treeAfter: "a=three a~left=four",
	},
	{
		situation: "24 copy renamed", before: "put a one", left: "put a two", right: "put a three", tree: "a=three a~left=two",
		after: "mvcopy a b", treeAfter: "a=three b=two",
	},
	{situation: "file replaced by a directory, edit", before: "put a one", left: "del a\nmkdir a", right: "put a two", tree: "a/ a~right=two"},
	{ // found in one scan, what has the path is the same directory
		situation: "directory moved away and made anew, new file in it", before: "mkdir d\nput d/f one",
		left: "mv d e\nmkdir d\nput d/f two", right: "put d/g three", tree: "d/ d/f=two d/g=three e/ e/f=one",
	},
}

// dir is where the row's files are: all rows share one folder.
func (r mergeRow) dir(folder string) string {
	return filepath.Join(folder, strings.NewReplacer(" ", "_", ",", "").Replace(r.situation))
}

var (
	copySuffix = regexp.MustCompile(`~conflict-[0-9]{8}-[0-9]{6}-([0-9a-f]{6})-[0-9a-f]{4,}(\.[0-9]+)?`)
	nodeSuffix = regexp.MustCompile(`~[0-9a-f]{6}\b`)
)

// copyNames returns the devices by how a conflict copy names them.
func copyNames(sides []*side) map[string]string {
	names := make(map[string]string)
	for _, s := range sides {
		names[s.shortID()] = s.name
	}
	return names
}

// read writes the row's tree as the table does.
func (r mergeRow) read(t *testing.T, folder string, names map[string]string) string {
	t.Helper()
	dir := r.dir(folder)
	tree, err := readTree(dir)
	if os.IsNotExist(err) {
		return "nothing"
	}
	must(t, err)
	var lines []string
	for path, leaf := range tree {
		line := strings.TrimPrefix(path, "/")
		line = copySuffix.ReplaceAllStringFunc(line, func(suffix string) string {
			return "~" + names[copySuffix.FindStringSubmatch(suffix)[1]]
		})
		line = nodeSuffix.ReplaceAllString(line, "~node")
		if leaf.Mode.IsDir() {
			line += "/"
		} else {
			data, err := os.ReadFile(dir + path)
			must(t, err)
			line += "=" + strings.TrimPrefix(string(data), r.situation+" ")
		}
		if usual := leaf.Mode.Perm() == 0o644 || leaf.Mode.IsDir() && leaf.Mode.Perm() == 0o755; !usual {
			line += fmt.Sprintf("(%o)", leaf.Mode.Perm())
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, " ")
}

// do does what each line says, in the row's directory on one device.
func (r mergeRow) do(t *testing.T, s *side, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		word := append(strings.Fields(line), "")
		path, other := filepath.Join(r.dir(s.folder), word[1]), filepath.Join(r.dir(s.folder), word[2])
		text := []byte(r.situation + " " + word[2])
		switch word[0] {
		case "put":
			must(t, os.WriteFile(path, text, 0o644))
		case "mkdir":
			must(t, os.Mkdir(path, 0o755))
		case "del":
			must(t, os.RemoveAll(path))
		case "mv":
			must(t, os.Rename(path, other))
		case "chmod":
			mode, err := strconv.ParseUint(word[2], 8, 32)
			must(t, err)
			must(t, os.Chmod(path, os.FileMode(mode)))
		case "dropcopy":
			must(t, os.Remove(copyOf(t, path)))
		case "keepcopy":
			must(t, os.WriteFile(copyOf(t, path), text, 0o644))
		case "mvcopy":
			must(t, os.Rename(copyOf(t, path), other))
		default:
			t.Fatalf("no deed %q", word[0])
		}
	}
}

// copyOf finds the conflict copy beside a file.
func copyOf(t *testing.T, path string) string {
	t.Helper()
	stem := strings.TrimSuffix(path, filepath.Ext(path))
	found, err := filepath.Glob(stem + "~conflict-*")
	if err != nil || len(found) != 1 {
		t.Fatalf("%s has the copies %q: %v", path, found, err)
	}
	return found[0]
}
