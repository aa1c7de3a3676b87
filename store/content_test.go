package store_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
	"pgregory.net/rapid"
)

var update = flag.Bool("update", false, "write the golden files anew")

// made returns the deterministic file of a seed, as testdata/chunks.txt says.
func made(seed string, size int) []byte {
	switch seed {
	case "zero":
		return make([]byte, size)
	case "text":
		line := "the quick brown fox jumps over the lazy dog\n"
		return bytes.Repeat([]byte(line), size/len(line)+1)[:size]
	}
	data := make([]byte, 0, size+sha256.Size)
	for i := uint64(0); len(data) < size; i++ {
		sum := sha256.Sum256(binary.BigEndian.AppendUint64([]byte(seed), i))
		data = append(data, sum[:]...)
	}
	return data[:size]
}

func TestCutPointsAreTheGoldenOnes(t *testing.T) {
	golden, err := os.ReadFile("testdata/chunks.txt")
	must(t, err)
	for line := range strings.Lines(string(golden)) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		size, err := strconv.Atoi(fields[1])
		must(t, err)
		var want []int
		for _, field := range fields[2:] {
			n, err := strconv.Atoi(field)
			must(t, err)
			want = append(want, n)
		}
		if diff := cmp.Diff(want, store.Chunks(made(fields[0], size))); diff != "" {
			t.Errorf("file %s (-want +got):\n%s", fields[0], diff)
		}
	}
}

func TestCutsAreWithinBoundsAndDependOnlyOnTheChunk(t *testing.T) {
	file := made("bounds", 8<<20)
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, len(file)-1).Draw(t, "from")
		rest := file[from:]
		n := store.Chunks(rest)[0]
		switch {
		case n > len(rest) || n > store.ChunkBytesMax:
			t.Fatalf("a chunk of %d octets of %d", n, len(rest))
		case n < store.ChunkBytesMin && n != len(rest):
			t.Fatalf("a chunk of %d octets inside the file", n)
		case n < len(rest) && store.Chunks(rest[:n+1])[0] != n:
			t.Fatal("what follows a chunk moved its end")
		}
	})
}

// TestListNodesAreTheGoldenOnes pins contents and list nodes: of real files, and
// of long lists of made-up chunks, where nodes are named by nodes.
func TestListNodesAreTheGoldenOnes(t *testing.T) {
	var got strings.Builder
	for _, size := range []int{0, 1, 1 << 20, 1<<20 + 1, 10_000_000} {
		root := newRoot(t)
		root.user.Write("file", made("list", size))
		hashed := root.Hash(store.HashJob{Path: "file", Old: root.user.Stat("file")})
		must(t, hashed.Err)
		describe(&got, fmt.Sprintf("file of %d", size), hashed.Content, hashed.List)
	}
	for _, chunks := range []int{1, 2, 16384, 16385, 2 * 16384, 2*16384 + 1} {
		nodes := madeUpList(chunks)
		describe(&got, fmt.Sprintf("%d chunks", chunks), nodes[len(nodes)-1].Hash, nodes)
	}
	const path = "testdata/lists.txt"
	if *update {
		must(t, os.WriteFile(path, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if diff := cmp.Diff(string(want), got.String()); diff != "" {
		t.Errorf("lists (-want +got):\n%s", diff)
	}
}

func describe(into *strings.Builder, what string, content zsync.Digest, nodes []store.ListNode) {
	fmt.Fprintf(into, "%s: content %s\n", what, content)
	for _, node := range nodes {
		fmt.Fprintf(into, "\tnode %s, %d octets\n", node.Hash, len(node.Data))
	}
}

func madeUpList(chunks int) []store.ListNode {
	var list store.ListBuilder
	for i := range chunks {
		hash := sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
		list.Add(hash, uint32(store.ChunkBytesMin+i%7))
	}
	return list.Finish()
}

func TestAListIsReadBackToTheChunksItWasMadeOf(t *testing.T) {
	for _, chunks := range []int{1, 16384, 16385, 2*16384 + 5} {
		nodes := madeUpList(chunks)
		byHash := map[zsync.Digest][]byte{}
		for _, node := range nodes {
			byHash[node.Hash] = node.Data
		}
		var read int
		var size int64
		var walk func(hash zsync.Digest) int64
		walk = func(hash zsync.Digest) int64 {
			list, err := store.ParseListNode(hash, byHash[hash])
			must(t, err)
			var below int64
			for _, entry := range list.Entries {
				if list.Level == 0 {
					read++
					below += int64(entry.Len)
					continue
				}
				if int(entry.Len) != len(byHash[entry.Hash]) {
					t.Errorf("a node of %d octets is said to have %d", len(byHash[entry.Hash]), entry.Len)
				}
				below += walk(entry.Hash)
			}
			if below != list.Size {
				t.Errorf("a node of %d octets is said to have %d", below, list.Size)
			}
			return below
		}
		size = walk(nodes[len(nodes)-1].Hash)
		if read != chunks || size < int64(chunks)*int64(store.ChunkBytesMin) {
			t.Errorf("read %d chunks, %d octets, of %d", read, size, chunks)
		}
	}
}

func TestMalformedListNodesAreRefused(t *testing.T) {
	good := madeUpList(3)[0].Data
	damaged := map[string]func(data []byte) []byte{
		"empty":             func([]byte) []byte { return nil },
		"prefix":            func(data []byte) []byte { data[0]++; return data },
		"cut short":         func(data []byte) []byte { return data[:len(data)-1] },
		"trailing":          func(data []byte) []byte { return append(data, 0) },
		"no entries":        func(data []byte) []byte { return data[:22] },
		"wrong size":        func(data []byte) []byte { data[21]++; return data },
		"negative size":     func(data []byte) []byte { data[14] = 0xff; return data },
		"level too high":    func(data []byte) []byte { data[13] = 9; return data },
		"chunk of 0":        func(data []byte) []byte { clear(data[len(data)-4:]); return data },
		"chunk too long":    func(data []byte) []byte { data[len(data)-4] = 1; return data },
		"node not of nodes": func(data []byte) []byte { data[13] = 1; return data },
	}
	for name, damage := range damaged {
		data := damage(bytes.Clone(good))
		if _, err := store.ParseListNode(sha256.Sum256(data), data); !errors.Is(err, store.ErrList) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := store.ParseListNode(zsync.Digest{1}, good)
	wantErr(t, err, store.ErrCorrupt)
}

func FuzzParseListNode(f *testing.F) {
	f.Add(madeUpList(1)[0].Data)
	f.Add(madeUpList(40)[0].Data)
	f.Add([]byte("zsync/list/1\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		list, err := store.ParseListNode(sha256.Sum256(data), data)
		if err != nil || list.Level > 0 {
			return
		}
		var again store.ListBuilder
		for _, entry := range list.Entries {
			again.Add(entry.Hash, entry.Len)
		}
		if nodes := again.Finish(); !bytes.Equal(nodes[0].Data, data) {
			t.Errorf("%x was read as %x", data, nodes[0].Data)
		}
	})
}
