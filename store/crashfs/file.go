package crashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/zsync/zsync/store"
)

// file is an open file.
type file struct {
	fs   *FS
	node *node
}

func (f *file) ReadAt(into []byte, offset int64) (int, error) {
	if err := f.fs.look("read"); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	n, err := bytes.NewReader(f.node.data).ReadAt(into, offset)
	f.fs.read += int64(n)
	return n, err
}

func (f *file) WriteAt(data []byte, offset int64) (int, error) {
	if err := f.fs.begin("write", "file"); err != nil {
		return 0, err
	}
	defer f.fs.mu.Unlock()
	if err := f.resize(max(int64(len(f.node.data)), offset+int64(len(data)))); err != nil {
		return 0, err
	}
	copy(f.node.data[offset:], data)
	f.node.meta.mtimeNS = f.fs.nowNS
	f.fs.altered(f.node)
	return len(data), nil
}

func (f *file) resize(size int64) error {
	grown := size - int64(len(f.node.data))
	if f.fs.used+grown > f.fs.size {
		return fmt.Errorf("write: %w", store.ErrNoSpace)
	}
	f.fs.used += grown
	if grown > 0 {
		f.node.data = append(f.node.data, make([]byte, grown)...)
	}
	f.node.data = f.node.data[:size]
	return nil
}

// altered notes that a node's bytes or attributes changed just now.
func (f *FS) altered(n *node) {
	n.meta.ctimeNS = f.nowNS
	n.sum = nil
	f.dirty[n] = true
}

func (f *file) Stat() (store.Stat, error) {
	if err := f.fs.look("stat"); err != nil {
		return store.Stat{}, err
	}
	defer f.fs.mu.Unlock()
	return f.node.stat(), nil
}

// Data takes every page of zeros for a hole, as a disk does that packs its bytes.
func (f *file) Data(offset int64) (from, to int64, err error) {
	if err := f.fs.look("seek"); err != nil {
		return 0, 0, err
	}
	defer f.fs.mu.Unlock()
	size := int64(len(f.node.data))
	from = max(offset, 0)
	for from < size && f.hole(from) {
		from += pageBytes - from%pageBytes
	}
	if from >= size {
		return 0, 0, io.EOF
	}
	for to = from; to < size && !f.hole(to); {
		to += pageBytes - to%pageBytes
	}
	return from, min(to, size), nil
}

// hole reports whether the page that holds an octet is all zeros.
func (f *file) hole(at int64) bool {
	page := pageOf(f.node.data, int(at-at%pageBytes))
	return len(bytes.Trim(page, "\x00")) == 0
}

func (f *file) Truncate(size int64) error {
	if err := f.fs.begin("truncate", "file"); err != nil {
		return err
	}
	defer f.fs.mu.Unlock()
	f.node.meta.mtimeNS = f.fs.nowNS
	f.fs.altered(f.node)
	return f.resize(size)
}

func (f *file) Clone(store.File) error { return fmt.Errorf("clone: %w", errors.ErrUnsupported) }

func (f *file) WriteBack(int64, int64) {}

func (f *file) Uncached() {}

func (f *file) Closed() bool { return false }

func (f *file) Sync() error {
	if err := f.fs.begin("sync", "file"); err != nil {
		f.fs.loseWrites(f.node)
		return err
	}
	defer f.fs.mu.Unlock()
	f.node.writeOut()
	delete(f.fs.dirty, f.node)
	return nil
}

func (f *file) Close() error { return nil }
