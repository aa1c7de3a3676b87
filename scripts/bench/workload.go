package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
)

// workload is a tree of files that is to be brought to the other side.
type workload struct {
	name, about string
	make        func(dir string, scale int) (files int64, err error)
}

var workloads = []workload{
	{"W1", "400 photos of 3 MiB", func(dir string, scale int) (int64, error) {
		return fill(dir, 400/scale, 100, func(*rand.Rand) int64 { return 3 << 20 })
	}},
	{"W2", "20,000 files of 1 to 8 KiB", func(dir string, scale int) (int64, error) {
		return fill(dir, 20000/scale, 100, func(r *rand.Rand) int64 { return 1<<10 + r.Int64N(7<<10) })
	}},
	{"W3", "one file of 2 GiB", func(dir string, scale int) (int64, error) {
		return fill(dir, 1, 1, func(*rand.Rand) int64 { return 2 << 30 / int64(scale) })
	}},
}

// fill makes files of noise, perDir in each directory.
func fill(dir string, files, perDir int, size func(*rand.Rand) int64) (int64, error) {
	sizes := rand.New(rand.NewPCG(1, 2))
	noise := rand.NewChaCha8([32]byte{3})
	for i := range files {
		at := filepath.Join(dir, fmt.Sprintf("d%03d", i/perDir))
		if err := os.MkdirAll(at, 0o755); err != nil {
			return 0, err
		}
		if err := writeNoise(filepath.Join(at, fmt.Sprintf("f%05d.bin", i)), noise, size(sizes)); err != nil {
			return 0, err
		}
	}
	return int64(files), nil
}

func writeNoise(path string, noise io.Reader, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = io.CopyN(file, noise, size)
	return errors.Join(err, file.Close())
}

// ready reads the tree and empties the write cache, so that no run pays for a cold
// page cache, or for what another has left to be written.
func ready(dir string) error {
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, file)
		return errors.Join(err, file.Close())
	})
	return errors.Join(err, exec.Command("sync").Run())
}
