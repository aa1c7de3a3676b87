package main

import (
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

// standing turns how things stand into an exit code, for scripts: not in sync, or
// in sync with conflict copies. Nothing is said: the status was printed.
func standing(st control.Status) error {
	code := exitOK
	for _, f := range st.Folders {
		switch {
		case f.State != device.StateInSync:
			return &failure{code: exitNotInSync}
		case f.Conflicts > 0:
			code = exitConflicts
		}
	}
	if code == exitOK {
		return nil
	}
	return &failure{code: code}
}
