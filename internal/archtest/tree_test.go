package archtest

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

const module = "github.com/zsync/zsync"

// root is the repository, seen from this package.
var root = filepath.Join("..", "..")

// listed is a package of this module as the go command knows it.
type listed struct {
	ImportPath string
	Dir        string
	Imports    []string // without those of tests
	CgoFiles   []string
}

// name is the import path below the module; "." for its root.
func (p listed) name() string { return below(p.ImportPath) }

// below shortens an import path of this module; others come back whole.
func below(importPath string) string {
	if importPath == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module+"/")
}

// packages returns all packages of the module.
func packages(t *testing.T) (all []listed) {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,CgoFiles", "./...")
	list.Dir = root
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

// file is one source file that is no test, whatever system it is for.
type file struct {
	pkg  string // as name
	base string
	ast  *ast.File
	set  *token.FileSet
}

// at says where a piece of the file stands.
func (f file) at(node ast.Node) string {
	position := f.set.Position(node.Pos())
	relative, err := filepath.Rel(root, position.Filename)
	if err != nil {
		relative = position.Filename
	}
	position.Filename = filepath.ToSlash(relative)
	return position.String()
}

// files returns the parsed sources of a package.
func files(t *testing.T, pkg string) (all []file) {
	t.Helper()
	sources, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(pkg), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range sources {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, source, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, file{pkg, filepath.Base(source), parsed, set})
	}
	return all
}

// page returns a document of the repository; it skips the test where there is
// none yet.
func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(path)))
	if os.IsNotExist(err) {
		t.Skipf("there is no %s", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// tree is all that lies in the repository.
type tree struct {
	paths map[string]bool // slash-separated, below the root
	bases map[string]bool // last names of files
}

func readTree(t *testing.T) tree {
	t.Helper()
	all := tree{map[string]bool{}, map[string]bool{}}
	err := fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && path == ".git" {
			return fs.SkipDir
		}
		all.paths[path] = true
		if !entry.IsDir() {
			all.bases[entry.Name()] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
