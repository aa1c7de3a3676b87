package security

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// ErrExposed is returned for a file of secrets that others than its owner may
// read or write.
var ErrExposed = errors.New("others may read or write it")

// exposed holds the permission bits that a private file must not have.
const exposed = 0o077

// readPrivate reads a regular file of at most limit octets that only its owner
// can get at. Windows has no such bits; its home directories are private.
func readPrivate(path string, limit int64) ([]byte, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	stat, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case !stat.Mode().IsRegular():
		return nil, fmt.Errorf("%s is no regular file", path)
	case runtime.GOOS != "windows" && stat.Mode().Perm()&exposed != 0:
		return nil, fmt.Errorf("%s: %w (mode %#o): run  chmod 600 %s", path, ErrExposed, stat.Mode().Perm(), path)
	case stat.Size() > limit:
		return nil, fmt.Errorf("%s has %d octets, at most %d", path, stat.Size(), limit)
	}
	return io.ReadAll(io.LimitReader(file, limit))
}

// writePrivate replaces the file at path in one step, so that a crash leaves
// the old or the new one, whole. The temporary file lies beside it: secrets
// never go to a shared directory.
func writePrivate(path string, data []byte) (err error) {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	_, writeErr := file.Write(data)
	if err := errors.Join(writeErr, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// syncDir makes the entries of a directory durable. Windows cannot, and does
// not need to.
func syncDir(path string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	dir, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}
