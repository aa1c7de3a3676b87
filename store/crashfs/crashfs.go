package crashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// ErrCrashed is returned by every call after the power was cut.
var ErrCrashed = errors.New("crashfs: the power is off")

const (
	pageBytes = 4096
	// stepTakes is how far each step moves the clock, so that no two changes have
	// the same time.
	stepTakes = time.Microsecond
	// startNS is the clock of a new disk, 2026-01-01.
	startNS = 1_767_225_600_000_000_000
	// sizeBytes is how much a disk holds unless Resize says otherwise.
	sizeBytes = 1 << 40
)

// FS is a disk. Its methods may be called by several goroutines at once.
type FS struct {
	mu       sync.Mutex // the callers are the workers that share a real disk
	random   *rand.Rand
	nowNS    int64
	root     *node
	inodes   uint64
	self     uint64         // the inode that the root's own name leads to; 0: to nothing
	journal  []change       // what happened to names since they were last durable
	dirty    map[*node]bool // what has bytes or attributes that are not durable
	size     int64
	used     int64
	read     int64
	step     int
	crashAt  int // 0: never
	crashed  bool
	failures map[int]error
	hook     func(step int, call string)
	trouble  func(call string, changes bool) error
	exchange bool
	flags    bool // Rename knows them, and needs no link
	locks    map[*node]bool
	modes    bool // directories are closed to whom their mode closes them
	folds    bool // names are compared without case and form
	strict   bool // some names are refused
}

var _ store.FS = (*FS)(nil)

// New returns an empty disk. The seed decides what a crash leaves.
func New(seed uint64) *FS {
	f := &FS{
		random:   rand.New(rand.NewPCG(seed, 0x7a73796e63)),
		nowNS:    startNS,
		size:     sizeBytes,
		exchange: true,
		flags:    true,
		failures: map[int]error{},
		locks:    map[*node]bool{},
		dirty:    map[*node]bool{},
	}
	f.root = f.newNode(zsync.TypeDir, 0o755)
	f.self = f.root.inode
	return f
}

// Steps returns how many steps were made: calls that change the disk, or make
// changes durable.
func (f *FS) Steps() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.step
}

// OctetsRead returns how many octets of files were read.
func (f *FS) OctetsRead() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.read
}

// CrashAt cuts the power when the step of that number is about to be made.
func (f *FS) CrashAt(step int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.crashAt = step
}

// FailAt makes the step of that number fail with err. A sync that fails loses what
// it should have written, and later ones do not know of it, as with a real kernel.
func (f *FS) FailAt(step int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failures[step] = err
}

// OnStep has hook called before each step. It may use the disk's User.
func (f *FS) OnStep(hook func(step int, call string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hook = hook
}

// Trouble has every call ask first whether it fails: changes says that it is a step.
// A step that fails changes nothing, but for a sync, see [FS.FailAt]. ask must not
// use the disk; nil ends it.
func (f *FS) Trouble(ask func(call string, changes bool) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.trouble = ask
}

// Resize sets how many octets of files the disk holds.
func (f *FS) Resize(octets int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.size = octets
}

// ForbidExchange makes Rename refuse Exchange, as some file systems do.
func (f *FS) ForbidExchange() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exchange = false
}

// ForbidFlags makes Rename do with plain renames and links, as it must on some file
// systems: neither Exchange nor, of a file, NoReplace; and FromPrivate takes three
// steps.
func (f *FS) ForbidFlags() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.exchange, f.flags = false, false
}

// EnforceModes makes every change of the entries of a directory, but for the user's,
// need its owner's leave to write, as it does for anyone who is not root.
func (f *FS) EnforceModes() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.modes = true
}

// Unmount makes the root's own name lead to nothing, while what is open stays.
func (f *FS) Unmount() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.self = 0
}

// Advance moves the disk's clock.
func (f *FS) Advance(by time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.nowNS += int64(by)
}

// begin is called, without the lock, at the start of each step, and returns with
// the lock held when it returns nil.
func (f *FS) begin(call, name string) error {
	f.mu.Lock()
	hook, next := f.hook, f.step+1
	if hook != nil {
		f.mu.Unlock()
		hook(next, call+" "+name)
		f.mu.Lock()
	}
	f.step++
	f.nowNS += int64(stepTakes)
	if f.step == f.crashAt {
		f.crashed = true
	}
	err := f.failures[f.step]
	if err == nil {
		err = f.asked(call, true)
	}
	if f.crashed {
		err = ErrCrashed
	}
	if err != nil {
		f.mu.Unlock()
		return fmt.Errorf("%s %s: %w", call, name, err)
	}
	return nil
}

func (f *FS) asked(call string, changes bool) error {
	if f.trouble == nil || f.crashed {
		return nil
	}
	return f.trouble(call, changes)
}

// look takes the lock for a call that changes nothing.
func (f *FS) look(call string) error {
	f.mu.Lock()
	err := f.asked(call, false)
	if f.crashed {
		err = ErrCrashed
	}
	if err != nil {
		f.mu.Unlock()
		return fmt.Errorf("%s: %w", call, err)
	}
	return nil
}

// Dir implements store.FS.
func (f *FS) Dir(path string) (store.Dir, error) {
	if err := f.look("open directory"); err != nil {
		return nil, err
	}
	defer f.mu.Unlock()
	found, err := f.find(path)
	if err != nil {
		return nil, err
	}
	if found.kind != zsync.TypeDir {
		return nil, missing("open directory", path)
	}
	return &dir{fs: f, node: found}, nil
}

// Open implements store.FS.
func (f *FS) Open(path string) (store.File, store.Stat, error) {
	if err := f.look("open"); err != nil {
		return nil, store.Stat{}, err
	}
	defer f.mu.Unlock()
	found, err := f.find(path)
	if err != nil {
		return nil, store.Stat{}, err
	}
	return f.open(found, path)
}

func (f *FS) open(found *node, name string) (store.File, store.Stat, error) {
	if found == nil || found.kind != zsync.TypeFile {
		return nil, store.Stat{}, missing("open", name)
	}
	return &file{fs: f, node: found}, found.stat(), nil
}

// find walks a path and follows no symlink.
func (f *FS) find(path string) (*node, error) {
	at := f.root
	for _, name := range strings.Split(path, "/") {
		if path == "" {
			break
		}
		next := f.entry(at, name) // nil in what is no directory
		if next == nil {
			return nil, missing("find", path)
		}
		at = next
	}
	return at, nil
}

// Self implements store.FS.
func (f *FS) Self() (store.Stat, error) {
	if err := f.look("stat"); err != nil {
		return store.Stat{}, err
	}
	defer f.mu.Unlock()
	if f.self == 0 {
		return store.Stat{}, missing("stat", "root")
	}
	stat := f.root.stat()
	stat.Inode = f.self
	return stat, nil
}

// Free implements store.FS.
func (f *FS) Free() (free, total int64, err error) {
	if err := f.look("statfs"); err != nil {
		return 0, 0, err
	}
	defer f.mu.Unlock()
	return f.size - f.used, f.size, nil
}

// Sync implements store.FS.
func (f *FS) Sync() error {
	if err := f.begin("sync", "everything"); err != nil {
		f.loseWrites()
		return err
	}
	defer f.mu.Unlock()
	f.settle()
	return nil
}

// settle makes everything durable.
func (f *FS) settle() {
	f.commit(f.journal)
	f.journal = nil
	for n := range f.dirty {
		n.writeOut()
	}
	clear(f.dirty)
}

// loseWrites is what a sync that fails does: the bytes are taken for written.
func (f *FS) loseWrites(nodes ...*node) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.crashed {
		return
	}
	if nodes == nil {
		nodes = slices.Collect(maps.Keys(f.dirty))
	}
	for _, n := range nodes {
		n.known = bytes.Clone(n.data)
	}
}

// Close implements store.FS. The disk stays as it is.
func (f *FS) Close() error { return nil }

func missing(call, name string) error {
	return fmt.Errorf("%s %s: %w", call, name, fs.ErrNotExist)
}

func taken(call, name string) error {
	return fmt.Errorf("%s %s: %w", call, name, fs.ErrExist)
}
