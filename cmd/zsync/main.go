// Command zsync keeps folders of photos and files the same on a person's
// devices. Run `zsync help`, or read README.md.
//
// Each command is a file: flags, one call, print. What runs is put together in
// run.go; only main exits.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/store"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(memoryLimit)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// The live heap is small and what is thrown away is large, so the collector is
// left to wait: up to so many times the live heap, in percent, but not beyond so
// many octets in all.
const (
	collectAt   = 400
	memoryLimit = 128 << 20
)

// run is the whole program; it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(stdout, stderr)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitOK
	}
	var failed *failure
	switch {
	case errors.As(err, &failed):
	default: // cobra's own complaints
		failed = complaint(cmd, err)
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		failed = &failure{code: exitInterrupted}
	}
	failed.print(stderr)
	return failed.code
}

// The exit codes that scripts rely on.
const (
	exitOK            = 0
	exitFailed        = 1
	exitUsage         = 2
	exitNotInSync     = 3
	exitConflicts     = 4
	exitConfirm       = 5
	exitUnreachable   = 6
	exitNotAuthorised = 7
	exitDamage        = 8
	exitTimeout       = 9
	exitInterrupted   = 130
)

// failure is an error as a person reads it: what happened, where and why, and
// the command to run next.
type failure struct {
	code int
	what string
	hint string
	err  error
}

func (f *failure) print(w io.Writer) {
	if f.what != "" {
		out := newTable(w)
		out.row("zsync: " + strings.ReplaceAll(f.what, "\n", "; "))
		_ = out.flush() // there is nowhere to tell of it
	}
	if f.hint != "" {
		fmt.Fprintf(w, "hint: %s\n", printable(f.hint))
	}
}

func (f *failure) Error() string { return f.what }
func (f *failure) Unwrap() error { return f.err }

// silentHint is what to do about a device that runs and takes no request.
const silentHint = "where Ctrl-Z stopped it, type  fg  there; else end it with  kill  and start it again:  zsync daemon"

// failed wraps err as a failure with the given code; plain failure becomes damage
// where it is that.
func failed(code int, err error, hint string) error {
	if err == nil {
		return nil
	}
	if code == exitFailed && isDamage(err) {
		code, hint = exitDamage, damageHint
	}
	if errors.Is(err, control.ErrSilent) {
		code, hint = exitUnreachable, silentHint
	}
	if why := store.Trouble(err); hint == "" && why != "" {
		hint = why
	}
	return &failure{code: code, what: err.Error(), hint: hint, err: err}
}

func failedf(code int, hint, format string, args ...any) error {
	return failed(code, fmt.Errorf(format, args...), hint)
}

// unlessInterrupted is failedf, or the interruption itself.
func unlessInterrupted(ctx context.Context, code int, hint, format string, args ...any) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return context.Canceled
	}
	return failedf(code, hint, format, args...)
}
