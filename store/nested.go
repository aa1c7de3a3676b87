package store

import "strings"

// nested reports whether the directory at path is the root of a folder of its own.
func (r *Root) nested(path string) bool {
	file, _, err := r.fs.Open(join(path, privateDir+"/"+idName))
	if err != nil {
		return false
	}
	_ = file.Close() // it was only asked for
	return true
}

// outside returns ErrNested when the directory at path is a folder of its own, or
// lies in one. What it found out it remembers for the rest of the batch.
func (a *applier) outside(path string) error {
	for end := 0; end < len(path); {
		end++
		if next := strings.IndexByte(path[end:], '/'); next >= 0 {
			end += next
		} else {
			end = len(path)
		}
		nested, known := a.nested[path[:end]]
		if !known {
			nested = a.root.nested(path[:end])
			if a.nested == nil {
				a.nested = map[string]bool{}
			}
			a.nested[path[:end]] = nested
		}
		if nested {
			return ErrNested
		}
	}
	return nil
}
