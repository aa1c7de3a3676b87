package store_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

// hashed writes a file and hashes it.
func (r testRoot) hashed(path zsync.Path, data []byte) zsync.Digest {
	r.user.Write(string(path), data)
	h := r.Hash(store.HashJob{Path: path, Old: r.user.Stat(string(path))})
	must(r.t, h.Err)
	return h.Content
}

func TestASmallFileThatWasHashedIsGivenOnceFromMemory(t *testing.T) {
	r := newRoot(t)
	data := []byte("as it was hashed")
	content := r.hashed("a", data)
	r.user.Write("a", []byte("something else"))
	if got := r.TakeRecent(content); !bytes.Equal(got, data) {
		t.Fatalf("%q", got)
	}
	if got := r.TakeRecent(content); got != nil {
		t.Fatalf("the second time: %q", got)
	}
}

func TestWhatIsKeptInMemoryIsBoundedAndForgotten(t *testing.T) {
	r := newRoot(t)
	const size = 64 << 10
	kept := 0
	contents := make([]zsync.Digest, 300)
	for i := range contents {
		contents[i] = r.hashed("f", bytes.Repeat([]byte{byte(i), byte(i >> 8)}, size/2))
	}
	large := r.hashed("large", bytes.Repeat([]byte("x"), size+1))
	for i, c := range contents {
		if r.TakeRecent(c) != nil {
			kept = i + 1
		}
	}
	if kept != 255 || r.TakeRecent(large) != nil {
		t.Fatalf("%d small files in memory, want the first 16 MiB", kept)
	}
	last := r.hashed("last", []byte("y"))
	r.ForgetRead()
	if r.TakeRecent(last) != nil {
		t.Fatal("it was not forgotten")
	}
}

func TestTheSmallestFilesKeptInMemoryAreBoundedInNumber(t *testing.T) {
	r := newRoot(t)
	contents := make([]zsync.Digest, 1<<17)
	for i := range contents {
		contents[i] = r.hashed("f", fmt.Append(nil, i))
	}
	kept := 0
	for _, c := range contents {
		if r.TakeRecent(c) != nil {
			kept++
		}
	}
	if kept == 0 || kept > 1<<16 {
		t.Fatalf("%d files of a few octets in memory, want no more than 16 MiB hold with what is said of them", kept)
	}
	again := r.hashed("f", []byte("room was given back"))
	if r.TakeRecent(again) == nil {
		t.Fatal("what was taken still counts")
	}
}
