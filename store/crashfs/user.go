package crashfs

import (
	"bytes"
	"crypto/sha256"
	"slices"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// User is a person, or another program, at the same disk. What a user does is no
// step, never fails for want of a directory (those above are made), and replaces
// what is in the way.
type User struct{ fs *FS }

// User returns the user of the disk.
func (f *FS) User() User { return User{f} }

// parent returns the directory above path, made when it is not there.
func (u User) parent(path string) (*node, string) {
	names := strings.Split(path, "/")
	at := u.fs.root
	for _, name := range names[:len(names)-1] {
		name = u.fs.called(at, name)
		next := at.entries[name]
		if next == nil || next.kind != zsync.TypeDir {
			next = u.fs.newNode(zsync.TypeDir, 0o755)
			u.fs.record(change{sets: []set{{dir: at, name: name, node: next}}})
		}
		at = next
	}
	return at, u.fs.called(at, names[len(names)-1])
}

// tick takes the lock and moves the clock.
func (u User) tick() func() {
	u.fs.mu.Lock()
	u.fs.nowNS += int64(stepTakes)
	return u.fs.mu.Unlock
}

// Write sets the bytes of the file at path, in place where there is one.
func (u User) Write(path string, data []byte) {
	defer u.tick()()
	parent, name := u.parent(path)
	found := parent.entries[name]
	if found == nil || found.kind != zsync.TypeFile {
		found = u.fs.newNode(zsync.TypeFile, fileMode)
		u.fs.record(change{sets: []set{{dir: parent, name: name, node: found}}})
	}
	u.fs.used += int64(len(data) - len(found.data))
	found.data = bytes.Clone(data)
	found.meta.mtimeNS = u.fs.nowNS
	u.fs.altered(found)
}

// Rot gives the file at path other bytes and leaves all that it says of itself as it
// is, as a failing disk does. It panics where data has another length.
func (u User) Rot(path string, data []byte) {
	defer u.tick()()
	parent, name := u.parent(path)
	found := parent.entries[name]
	if found == nil || len(found.data) != len(data) {
		panic("crashfs: rot changes no size: " + path)
	}
	found.data, found.sum = bytes.Clone(data), nil
	found.writeOut()
}

// Replace puts a new file at path, as programs do that write beside it and rename.
func (u User) Replace(path string, data []byte) {
	u.Remove(path)
	u.Write(path, data)
}

// Mkdir makes a directory at path.
func (u User) Mkdir(path string) {
	defer u.tick()()
	u.parent(path + "/.")
}

// Symlink makes a symlink at path, instead of what is there.
func (u User) Symlink(path, target string) {
	defer u.tick()()
	parent, name := u.parent(path)
	made := u.fs.newNode(zsync.TypeSymlink, 0o777)
	made.target = target
	u.fs.record(change{sets: []set{{dir: parent, name: name, node: made}}})
}

// Remove removes what is at path, and all below.
func (u User) Remove(path string) {
	defer u.tick()()
	parent, name := u.parent(path)
	if parent.entries[name] != nil {
		u.fs.record(change{sets: []set{{dir: parent, name: name}}, after: true})
	}
}

// Rename moves what is at from to path, instead of what is there.
func (u User) Rename(from, path string) {
	defer u.tick()()
	parent, name := u.parent(from)
	into, over := u.parent(path)
	toName := path[strings.LastIndexByte(path, '/')+1:]
	if moved := parent.entries[name]; moved != nil {
		sets := []set{{dir: parent, name: name}, {dir: into, name: over}, {dir: into, name: toName, node: moved}}
		u.fs.record(change{sets: sets, after: true})
	}
}

// Chmod sets the mode of what is at path.
func (u User) Chmod(path string, mode uint32) {
	defer u.tick()()
	if found, err := u.fs.find(path); err == nil {
		found.meta.mode = mode
		u.fs.altered(found)
	}
}

// Touch sets the mtime of what is at path, as programs do that keep it.
func (u User) Touch(path string, mtimeNS int64) {
	defer u.tick()()
	if found, err := u.fs.find(path); err == nil {
		found.meta.mtimeNS = mtimeNS
		u.fs.altered(found)
	}
}

// Settle makes everything durable, as time alone does.
func (u User) Settle() {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	u.fs.settle()
}

// Stat returns the Stat of what is at path; the zero Stat when nothing is.
func (u User) Stat(path string) store.Stat {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	found, err := u.fs.find(path)
	if err != nil {
		return store.Stat{}
	}
	return found.stat()
}

// Read returns the bytes of the file at path, or the target of the symlink; nil
// when neither is there.
func (u User) Read(path string) []byte {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	found, err := u.fs.find(path)
	switch {
	case err != nil || found.kind == zsync.TypeDir:
		return nil
	case found.kind == zsync.TypeSymlink:
		return []byte(found.target)
	}
	return append([]byte{}, found.data...)
}

// Sum returns the SHA-256 of the bytes of the file at path, which costs nothing where
// it was asked before and they are the same; false where there is no file.
func (u User) Sum(path string) ([sha256.Size]byte, bool) {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	found, err := u.fs.find(path)
	if err != nil || found.kind != zsync.TypeFile {
		return [sha256.Size]byte{}, false
	}
	return found.digest(), true
}

// HasSum reports whether there is a file with bytes of that SHA-256 in the directories
// that in lets it enter, below the root.
func (u User) HasSum(sum [sha256.Size]byte, in func(dir string) bool) bool {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	return u.fs.root.hasSum(sum, "", in)
}

func (n *node) hasSum(sum [sha256.Size]byte, at string, in func(dir string) bool) bool {
	for name, below := range n.entries {
		if below.kind == zsync.TypeFile && below.digest() == sum {
			return true
		}
		if below.kind == zsync.TypeDir && in(at+name) && below.hasSum(sum, at+name+"/", in) {
			return true
		}
	}
	return false
}

func (n *node) digest() [sha256.Size]byte {
	if n.sum == nil {
		sum := sha256.Sum256(n.data)
		n.sum = &sum
	}
	return *n.sum
}

// Paths returns the path of everything below path, ascending, directories too: but
// for the paths without, and what is below them.
func (u User) Paths(path string, without ...string) []string {
	u.fs.mu.Lock()
	defer u.fs.mu.Unlock()
	found, err := u.fs.find(path)
	if err != nil {
		return nil
	}
	return found.paths(nil, path, without)
}

func (n *node) paths(paths []string, at string, without []string) []string {
	for _, name := range n.names() {
		path := name
		if at != "" {
			path = at + "/" + name
		}
		if !slices.Contains(without, path) {
			paths = n.entries[name].paths(append(paths, path), path, without)
		}
	}
	return paths
}
