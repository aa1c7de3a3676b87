// Command demo tells the story of zsync with three real devices on this machine:
// a laptop, a cloud box and a tablet, each with a home of its own, talking over
// loopback. It pairs them, fills a folder with real photographs and another with
// a source tree, edits, deletes, renames, makes a conflict, kills one device
// half-way, and at the end compares the three itself, file by file.
//
// Run it with `make demo`, or `make demo DIR=~/Pictures`.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"time"
)

func main() {
	zsync := flag.String("zsync", "bin/zsync", "the program")
	photos := flag.String("photos", "", "a directory of photographs; default: Debian's mate-backgrounds")
	keep := flag.Bool("keep", false, "keep the devices' directories")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *zsync, *photos, *keep); err != nil {
		fmt.Fprintln(os.Stderr, "demo failed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, program, photos string, keep bool) error {
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "zsync-demo-")
	if err != nil {
		return err
	}
	s := &story{ctx: ctx, dir: dir, program: program, began: time.Now()}
	defer s.end(keep)
	if err := s.prepare(photos); err != nil {
		return err
	}
	for _, chapter := range s.chapters() {
		began := time.Now()
		fmt.Printf("• %s\n", chapter.title)
		if err := chapter.tell(); err != nil {
			s.confess()
			return fmt.Errorf("%s: %w", chapter.title, err)
		}
		fmt.Printf("  %.1f s\n", time.Since(began).Seconds())
	}
	fmt.Printf("identical on 3 devices (%.0f s in all)\n", time.Since(s.began).Seconds())
	return nil
}
