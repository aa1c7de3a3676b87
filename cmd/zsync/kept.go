package main

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/zsync/zsync/internal/device"
)

// foldersHeading begins the file that lists the folders, for the day on which
// device.db is lost.
const foldersHeading = "zsync folders 1\n"

// errFolders is wrapped where that file is not what was written.
var errFolders = errors.New("the list of folders is damaged")

// noteFolders renews the list.
func (h home) noteFolders(folders []device.Registration) error {
	slices.SortFunc(folders, func(a, b device.Registration) int { return strings.Compare(string(a.Label), string(b.Label)) })
	data := append([]byte(foldersHeading), device.EncodeFolders(folders)...)
	sum := sha256.Sum256(data)
	return renameio.WriteFile(h.folders(), append(data, sum[:]...), 0o600)
}

// notedFolders reads the list; none where there is no file.
func (h home) notedFolders() ([]device.Registration, error) {
	data, err := os.ReadFile(h.folders())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	body, found := strings.CutPrefix(string(data), foldersHeading)
	if end := len(data) - sha256.Size; found && end >= len(foldersHeading) {
		if sum := sha256.Sum256(data[:end]); string(sum[:]) == string(data[end:]) {
			return device.DecodeFolders([]byte(body[:len(body)-sha256.Size]))
		}
	}
	return nil, fmt.Errorf("%s: %w", h.folders(), errFolders)
}

// isNoted reports whether a folder is on the list: it was opened once.
func isNoted(noted []device.Registration, reg device.Registration) bool {
	return slices.ContainsFunc(noted, func(old device.Registration) bool {
		return old.Label == reg.Label && old.Space == reg.Space
	})
}

// whole refuses a home that something is missing from without which it would begin
// as another device, or as one that has forgotten its folders.
func (h home) whole() error {
	// What was made last is looked for first: another command may be making all of it.
	if (there(h.folders()) || there(h.database())) && !there(h.keyFile()) {
		return failedf(exitDamage, "put the key file back from a backup; if there is none:  zsync repair  says how to go on",
			"the key file of this device is lost (%s), and what it has written is there", h.keyFile())
	}
	if there(h.folders()) && !there(h.database()) {
		if folders, err := h.notedFolders(); err != nil || len(folders) > 0 {
			return failedf(exitDamage, "zsync repair  makes it anew; the folders' files are untouched", "the database of this device is lost (%s)", h.database())
		}
	}
	return nil
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
