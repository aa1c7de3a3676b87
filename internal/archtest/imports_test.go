package archtest

import (
	"regexp"
	"slices"
	"strings"
	"testing"
)

// rows is the lattice, lowest first: a package imports packages of lower rows,
// never one of its own row or of a higher one. A name that ends in "/..." stands
// for all below it.
var rows = [][]string{
	{".", "internal/wire", "internal/kv", "internal/failpoint", "internal/meter"},
	{"zre", "filemq", "security", "eventlog", "store"},
	{"replica", "store/crashfs"},
	{"internal/device"},
	{"internal/zeromq", "internal/disk", "internal/control", "internal/sim", "internal/kv/bolt", "zre/node"},
	{"cmd/zsync", "examples/...", "scripts/...", "internal/archtest"},
}

// sideways lists what the lattice allows beside its rows.
var sideways = map[string][]string{
	"zre/node":      {"internal/zeromq"},
	"scripts/bench": {"scripts/bench/plot"},
}

// narrower lists packages that may import less than their row allows.
var narrower = map[string][]string{
	"replica": {".", "internal/wire", "internal/kv", "eventlog", "store"},
}

// soleImporter names the one package that may import a module: what it does is
// behind that door, and can be replaced there.
var soleImporter = map[string]string{
	"github.com/pebbe/zmq4":         "internal/zeromq",
	"go.etcd.io/bbolt":              "internal/kv/bolt",
	"github.com/fsnotify/fsnotify":  "internal/disk",
	"github.com/spf13/cobra":        "cmd/zsync",
	"github.com/vbauerster/mpb/v8":  "cmd/zsync",
	"golang.org/x/crypto/argon2":    "security",
	"github.com/tidwall/btree":      "internal/kv",
	"github.com/PlakarKorp":         "store",
	"github.com/klauspost/compress": "filemq",
}

// banned lists what packages that only decide must not even be able to do.
// Everything below a name is banned with it, but for what allowed lists.
var (
	banned    = []string{"net", "os", "sync", "math/rand", "syscall", "golang.org/x/sys"}
	allowed   = []string{"net/netip"}
	deciders  = []string{"zre", "filemq", "replica"}
	noImports = []string{"C", "unsafe"}
)

// rowOf returns the row of a package, -1 where the lattice does not know it.
func rowOf(pkg string) int {
	return slices.IndexFunc(rows, func(row []string) bool {
		return slices.ContainsFunc(row, func(name string) bool { return covers(name, pkg) })
	})
}

func covers(name, pkg string) bool {
	if below, all := strings.CutSuffix(name, "/..."); all {
		return pkg == below || strings.HasPrefix(pkg, below+"/")
	}
	return name == pkg
}

// within reports whether an import is a module or package, or lies below it.
func within(imported, name string) bool {
	return imported == name || strings.HasPrefix(imported, name+"/")
}

func TestEveryPackageHasARow(t *testing.T) {
	for _, p := range packages(t) {
		if rowOf(p.name()) < 0 {
			t.Errorf("%s has no row: say in docs/ARCHITECTURE.md and here what it may import", p.name())
		}
	}
}

func TestPackagesImportOnlyFromLowerRows(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if !within(imported, module) {
				continue
			}
			if why := refusal(p.name(), below(imported)); why != "" {
				t.Errorf("%s imports %s: %s", p.name(), below(imported), why)
			}
		}
	}
}

// refusal says why a package may not import another; "" when it may.
func refusal(pkg, imported string) string {
	if few, found := narrower[pkg]; found && !slices.Contains(few, imported) {
		return "it may import only " + strings.Join(few, ", ")
	}
	if slices.Contains(sideways[pkg], imported) {
		return ""
	}
	switch from, to := rowOf(pkg), rowOf(imported); {
	case to > from:
		return "that is a higher row; a lower one is told, it does not call"
	case to == from:
		return "that is its own row; packages of a row know nothing of each other"
	}
	return ""
}

func TestVocabularyImportsOnlyTheStandardLibrary(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			if p.name() == "." && strings.Contains(strings.Split(imported, "/")[0], ".") {
				t.Errorf("package zsync imports %s: everything speaks its words, so it may lean on nothing", imported)
			}
		}
	}
}

func TestEachModuleHasOneDoor(t *testing.T) {
	for _, p := range packages(t) {
		for _, imported := range p.Imports {
			for door, only := range soleImporter {
				if within(imported, door) && p.name() != only && !strings.HasPrefix(p.name(), "scripts/") {
					t.Errorf("%s imports %s: only %s may", p.name(), imported, only)
				}
			}
		}
	}
}

func TestDecidersCannotReachTheWorld(t *testing.T) {
	for _, p := range packages(t) {
		if !slices.Contains(deciders, p.name()) {
			continue
		}
		for _, imported := range p.Imports {
			isIn := func(name string) bool { return within(imported, name) }
			if slices.ContainsFunc(banned, isIn) && !slices.Contains(allowed, imported) || slices.Contains(noImports, imported) {
				t.Errorf("%s imports %s: it decides; drivers do", p.name(), imported)
			}
		}
	}
}

// The rows as the page draws them: a number, then names with spaces between.
var rowOfPage = regexp.MustCompile(`(?m)^ ([0-9]) (.*)$`)

func TestPageDrawsTheSameRows(t *testing.T) {
	for _, match := range rowOfPage.FindAllStringSubmatch(page(t, "docs/ARCHITECTURE.md"), -1) {
		row := int(match[1][0] - '0')
		for _, name := range strings.Fields(match[2]) {
			switch name {
			case "(root)":
				continue
			case "zsync":
				name = "."
			}
			if got := rowOf(name); got != row {
				t.Errorf("docs/ARCHITECTURE.md has %s in row %d, the test in row %d", name, row, got)
			}
		}
	}
}
