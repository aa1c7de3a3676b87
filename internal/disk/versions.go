package disk

import (
	"errors"
	"io/fs"

	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/store"
)

// lookAgain brings back into the tree what was written to after it was moved to
// the versions area: then it is a file of the user's that a scan finds.
func lookAgain(root *store.Root, files []device.LateFile) (answer device.LookedAgain) {
	kept := make([]store.Kept, len(files))
	where := make(map[string]device.LateFile, len(files))
	for i, file := range files {
		kept[i] = file.Kept
		where[file.Name] = file
	}
	changed, err := root.Recheck(kept)
	for _, late := range changed {
		answer.Late = append(answer.Late, bringBack(root, where[late.Name]))
	}
	answer.Err = err
	return answer
}

// bringBack takes the file's own name, where that is free since it was removed, or
// else one beside it; where its directory is gone, one further up.
func bringBack(root *store.Root, file device.LateFile) device.BroughtBack {
	back := device.BroughtBack{Kept: file.Name, Path: file.Path}
	if file.Removed {
		if _, back.Err = root.BringBack(file.Name, back.Path); back.Err == nil {
			return back
		}
	}
	for dir := file.Path.Dir(); ; dir = dir.Dir() {
		back.Path = store.LateName(dir.Join(file.Path.Base()), file.Name)
		_, back.Err = root.BringBack(file.Name, back.Path)
		if dir == "" || !nowhere(back.Err) {
			return back
		}
	}
}

// nowhere reports whether a place is none to bring anything back to: its directory
// is gone, or another folder's.
func nowhere(err error) bool { return errors.Is(err, fs.ErrNotExist) || errors.Is(err, store.ErrMount) }
