package archtest

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
	"testing"
)

// machine is a package whose files, but for the doors, must be deterministic.
type machine struct {
	pkg   string
	doors []string // files that drive the machine or touch a disk
}

var machines = []machine{
	{"zre", nil},
	{"filemq", nil},
	{"eventlog", nil},
	{"replica", nil},
	{"security", []string{"keyfile.go", "privatefile.go", "generation.go"}},
	{"internal/device", []string{"loop.go", "ask.go", "run.go", "owner.go"}},
}

// calls lists what no machine may call: it is given the time and its chances, or
// it could not be replayed. "*" stands for everything in the package.
var calls = map[string][]string{
	"time":         {"Now", "Since", "Until", "Sleep", "After", "Tick", "NewTimer", "NewTicker", "AfterFunc"},
	"math/rand":    {"*"},
	"math/rand/v2": {"*"},
	"crypto/rand":  {"*"},
}

func (m machine) files(t *testing.T) (pure []file) {
	t.Helper()
	for _, f := range files(t, m.pkg) {
		if !slices.Contains(m.doors, f.base) {
			pure = append(pure, f)
		}
	}
	return pure
}

func TestMachinesReadNoClockAndRollNoDice(t *testing.T) {
	for _, m := range machines {
		for _, f := range m.files(t) {
			for _, used := range bannedUses(f) {
				t.Errorf("%s: %s in a machine, which is given what it knows", f.at(used), used.Sel.Name)
			}
		}
	}
}

// bannedUses returns where a file mentions one of calls, called or not: a clock
// handed on as a value is a clock.
func bannedUses(f file) (uses []*ast.SelectorExpr) {
	names := importedNames(f)
	ast.Inspect(f.ast, func(node ast.Node) bool {
		if used, ok := node.(*ast.SelectorExpr); ok {
			if from, ok := used.X.(*ast.Ident); ok && isBanned(names[from.Name], used.Sel.Name) {
				uses = append(uses, used)
			}
		}
		return true
	})
	return uses
}

func isBanned(importPath, name string) bool {
	return slices.Contains(calls[importPath], name) || slices.Contains(calls[importPath], "*")
}

// importedNames maps the names by which a file calls its imports to their paths.
// A name of the file's own that hides one would be taken for it; none should.
func importedNames(f file) map[string]string {
	names := make(map[string]string)
	for _, spec := range f.ast.Imports {
		importPath, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // the parser has seen to it
		}
		name := path.Base(importPath)
		if name == "v2" {
			name = path.Base(path.Dir(importPath))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = importPath
	}
	return names
}

func TestMachinesStartNoGoroutine(t *testing.T) {
	for _, m := range machines {
		for _, f := range m.files(t) {
			ast.Inspect(f.ast, func(node ast.Node) bool {
				switch node.(type) {
				case *ast.GoStmt, *ast.SelectStmt, *ast.SendStmt:
					t.Errorf("%s: a goroutine or channel in a machine, which is stepped by its owner", f.at(node))
				}
				return true
			})
		}
	}
}

func TestNothingIsImportedWithoutItsName(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range files(t, p.name()) {
			for _, spec := range f.ast.Imports {
				if spec.Name != nil && spec.Name.Name == "." {
					t.Errorf("%s: a dot import hides what is called", f.at(spec))
				}
			}
		}
	}
}

func TestNothingHappensBeforeMain(t *testing.T) {
	for _, p := range packages(t) {
		for _, f := range files(t, p.name()) {
			for _, declared := range f.ast.Decls {
				if function, ok := declared.(*ast.FuncDecl); ok && function.Recv == nil && function.Name.Name == "init" {
					t.Errorf("%s: an init function runs whether anyone wants it or not", f.at(function))
				}
			}
		}
	}
}

// A door that is gone, or a machine without files, would make the tests above
// pass for nothing.
func TestMachinesAndTheirDoorsAreThere(t *testing.T) {
	for _, m := range machines {
		sources := files(t, m.pkg)
		if len(sources) == 0 {
			t.Errorf("%s has no files", m.pkg)
		}
		for _, door := range m.doors {
			if !slices.ContainsFunc(sources, func(f file) bool { return f.base == door }) {
				t.Errorf("%s has no %s", m.pkg, door)
			}
		}
	}
}
