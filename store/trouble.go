package store

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// Trouble returns what the machine lacks at present, where that is why err came
// about, and what a person can do; "" for any other error. It passes without a
// decision of anybody here: what failed is worth to be tried again later.
func Trouble(err error) string {
	is := func(target error) bool { return errors.Is(err, target) }
	switch {
	case is(ErrReserve):
		return "the disk is nearly full, and some room is always left free on it (1 %, at least 512 MiB); make room there, and it goes on by itself"
	case is(syscall.EDQUOT):
		return "your share of the disk, the quota, is used up; make room there, and it goes on by itself"
	case is(ErrNoSpace), is(syscall.ENOSPC):
		return "the disk is full; make room there, and it goes on by itself"
	case is(syscall.EROFS):
		return "the disk can only be read now; make it writable again (where it found a fault by itself,  dmesg  tells), and it goes on by itself"
	case is(syscall.EIO):
		return "the disk does not read or write as it should; copy what you need from it, and look at  dmesg"
	case is(syscall.EMFILE), is(syscall.ENFILE):
		return "no more files can be open at one time; raise the limit (ulimit -n, or LimitNOFILE= of a service)"
	}
	return ""
}

// Explain returns err for a person to read: where it is a [Trouble], something that
// this disk cannot hold, or that zsync may not touch, that comes first and the words of
// the system after it.
func Explain(err error) string {
	if why := Trouble(err); why != "" {
		return fmt.Sprintf("%s (%v)", why, err)
	}
	if errors.Is(err, ErrUnfit) {
		return fmt.Sprintf("the disk of this folder cannot hold such a thing, or one of that name; the other devices have it (%v)", err)
	}
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Sprintf("zsync may not read or write it:  ls -l  shows who may, and  chmod u+rw  changes it; then it goes on by itself (%v)", err)
	}
	return err.Error()
}

// ExplainOne is Explain where a person knows what err is about, or cannot tell: of the
// system's own words no more is left than what it says.
func ExplainOne(err error) string {
	var words syscall.Errno
	switch {
	case errors.As(err, &words):
		return Explain(words)
	case Trouble(err) != "":
		return Trouble(err)
	}
	return Explain(err)
}
