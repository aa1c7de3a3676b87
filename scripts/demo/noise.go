package main

import (
	"errors"
	"io"
	"math/rand/v2"
	"os"
)

// writeNoise writes a file that no compression makes smaller.
func writeNoise(path string, size int64) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	noise := rand.NewChaCha8([32]byte{1})
	_, err = io.CopyN(file, noise, size)
	return errors.Join(err, file.Close())
}
