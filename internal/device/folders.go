package device

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/zsync/zsync"
)

// foldersOf returns the folder with a label, or all of them for "", ascending by
// label: those that a person knows and whose machines run.
func (r *Running) foldersOf(label string) ([]*runningFolder, error) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	var folders []*runningFolder
	for _, f := range r.folders {
		if !f.reg.Scout && !f.loop.ended() && (label == "" || f.reg.Label == Label(label)) {
			folders = append(folders, f)
		}
	}
	if len(folders) == 0 && label != "" {
		return nil, fmt.Errorf("this device keeps no folder %q, or it is halted", label)
	}
	slices.SortFunc(folders, func(a, b *runningFolder) int { return cmp.Compare(a.reg.Label, b.reg.Label) })
	return folders, nil
}

// folderOf returns the folder with a label, or the only one for "".
func (r *Running) folderOf(label string) (*runningFolder, error) {
	folders, err := r.foldersOf(label)
	if err == nil && len(folders) != 1 {
		err = fmt.Errorf("there are %d folders: name one", len(folders))
	}
	if err != nil {
		return nil, err
	}
	return folders[0], nil
}

// ask runs a question between two turns of the folder, and returns its error.
func (f *runningFolder) ask(question func() error) error {
	_, err := answer(f, func() (struct{}, error) { return struct{}{}, question() })
	return err
}

// answer is what a question has for an answer, asked in the same way. The question
// may be asked after its asker gave up, and writes to nothing of theirs.
func answer[T any](f *runningFolder, question func() (T, error)) (T, error) {
	type answered struct {
		says T
		err  error
	}
	got, err := ask(f.loop, answerTime, func() (a answered) {
		a.says, a.err = question()
		return a
	})
	if errors.Is(err, errEnded) {
		err = fmt.Errorf("the folder %q was closed", f.reg.Label)
	}
	return got.says, cmp.Or(err, got.err)
}

// orFolder names a path of a folder for a person.
func orFolder(path zsync.Path) string {
	if path == "" {
		return "the folder"
	}
	return string(path)
}
