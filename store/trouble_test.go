package store

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"
)

func TestWhatTheMachineLacksIsToldInASentenceThatSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		err  error
		want string // how the sentence begins
	}{
		{ErrReserve, "the disk is nearly full"},
		{ErrNoSpace, "the disk is full"},
		{&fs.PathError{Op: "write", Path: "a.db", Err: syscall.ENOSPC}, "the disk is full"},
		{syscall.EDQUOT, "your share of the disk"},
		{fmt.Errorf("create a: %w (%w)", ErrNoSpace, syscall.EDQUOT), "your share of the disk"},
		{syscall.EROFS, "the disk can only be read now"},
		{syscall.EIO, "the disk does not read or write"},
		{syscall.EMFILE, "no more files can be open"},
		{syscall.ENFILE, "no more files can be open"},
	} {
		err := fmt.Errorf("store: stage abc: %w", c.err)
		if got := Explain(err); !strings.HasPrefix(got, c.want) || !strings.HasSuffix(got, "("+err.Error()+")") {
			t.Errorf("%v: %q", c.err, got)
		}
	}
}

func TestAnErrorThatIsNoTroubleOfTheMachineIsToldAsItIs(t *testing.T) {
	for _, err := range []error{ErrRoot, ErrDiverged, ErrLocked} {
		if Trouble(err) != "" || Explain(err) != err.Error() {
			t.Errorf("%v: %q", err, Explain(err))
		}
	}
}

func TestWhatMayNotBeReadIsToldWithHowToLetIt(t *testing.T) {
	err := fmt.Errorf("store: hash a.jpg: open a.jpg: %w", syscall.EACCES)
	for _, got := range []string{Explain(err), ExplainOne(err)} {
		if Trouble(err) != "" || !strings.Contains(got, "chmod") {
			t.Errorf("%q", got)
		}
	}
	if got := ExplainOne(err); strings.Contains(got, "a.jpg") {
		t.Errorf("the name that it is told of is said again: %q", got)
	}
	if err := fmt.Errorf("store: assemble 8d220: %w", ErrReserve); ExplainOne(err) != Trouble(err) {
		t.Errorf("the disk is nearly full: %q", ExplainOne(err))
	}
	if err := errors.New("another"); ExplainOne(err) != "another" {
		t.Errorf("%q", ExplainOne(err))
	}
}
