package store_test

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/store"
)

const (
	benchFiles     = 20_000
	benchFileBytes = 4 << 10
	benchBundle    = 256  // files a message
	benchBatch     = 2048 // files an intent commit
	benchDirFiles  = 1000
)

// BenchmarkLandSmallFiles stages and places 20,000 files of 4 KiB durably, as a
// device that receives them does. Compare it with raw system calls on the same
// file system: temporary file, syncfs, rename.
func BenchmarkLandSmallFiles(b *testing.B) {
	received := smallPieces()
	var last float64
	for b.Loop() {
		b.StopTimer()
		root := benchRoot(b, b.TempDir())
		b.StartTimer()
		began := b.Elapsed()
		for from := 0; from < benchFiles; from += benchBatch {
			landBatch(b, root, received[from:min(from+benchBatch, benchFiles)], from)
		}
		last = benchFiles / (b.Elapsed() - began).Seconds()
	}
	b.ReportMetric(last, "files/s")
}

func smallPieces() []store.Piece {
	received := make([]store.Piece, benchFiles)
	for i := range received {
		data := make([]byte, benchFileBytes)
		binary.BigEndian.PutUint64(data, uint64(i))
		received[i] = pieces(data)[0]
	}
	return received
}

func landBatch(b *testing.B, root *store.Root, batch []store.Piece, first int) {
	var workers sync.WaitGroup
	for from := 0; from < len(batch); from += benchBundle {
		workers.Go(func() {
			for _, err := range root.Stage(batch[from:min(from+benchBundle, len(batch))]) {
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	workers.Wait()
	must(b, root.Flush())
	var changes []store.Change
	for i, piece := range batch {
		n := first + i
		dir := zsync.Path(fmt.Sprintf("d%02d", n/benchDirFiles))
		if n%benchDirFiles == 0 {
			changes = append(changes, store.Change{Op: store.OpMkdir, Path: dir, Mode: 0o755})
		}
		changes = append(changes, store.Change{
			Op: store.OpPlace, Path: dir.Join(zsync.Name(fmt.Sprintf("f%05d", n))),
			Content: piece.Content, Size: piece.Size, Mode: 0o644, MtimeNS: placedNS,
		})
	}
	for _, result := range root.Apply(changes, false) {
		must(b, result.Err)
	}
}

func benchRoot(tb testing.TB, dir string) *store.Root {
	tb.Helper()
	disk, err := store.OpenOS(dir)
	must(tb, err)
	root, err := store.Open(disk, store.Options{})
	must(tb, err)
	tb.Cleanup(func() { _ = root.Close() })
	return root
}

// BenchmarkScanSmallFiles lists and hashes 20,000 files of 4 KiB.
func BenchmarkScanSmallFiles(b *testing.B) {
	dir := b.TempDir()
	for n := range benchFiles {
		path := filepath.Join(dir, fmt.Sprintf("d%02d", n/benchDirFiles))
		must(b, os.MkdirAll(path, 0o755))
		must(b, os.WriteFile(filepath.Join(path, fmt.Sprintf("f%05d", n)), make([]byte, benchFileBytes), 0o644))
	}
	root := benchRoot(b, dir)
	b.SetBytes(benchFiles * benchFileBytes)
	for b.Loop() {
		for _, top := range root.List("").Entries {
			path := zsync.Path(top.Name)
			for _, entry := range root.List(path).Entries {
				must(b, root.Hash(store.HashJob{Path: path.Join(zsync.Name(entry.Name)), Old: entry.Stat}).Err)
			}
		}
	}
	b.ReportMetric(benchFiles*float64(b.N)/b.Elapsed().Seconds(), "files/s")
}

// BenchmarkHashLargeFile hashes and cuts in one read.
func BenchmarkHashLargeFile(b *testing.B) {
	dir := b.TempDir()
	const size = 64 << 20
	must(b, os.WriteFile(filepath.Join(dir, "file"), made("large", size), 0o644))
	root := benchRoot(b, dir)
	old := root.List("").Entries[0].Stat
	b.SetBytes(size)
	for b.Loop() {
		must(b, root.Hash(store.HashJob{Path: "file", Old: old}).Err)
	}
}
