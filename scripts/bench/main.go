// Command bench measures what people leave sync tools for: how long two devices
// take to have the same files, how many octets that costs, and what they take while
// nothing happens. It holds that against rsync over ssh, in turns, in the same run,
// where rsync does such a thing at all. Absolute seconds belong to the machine and to
// its mood; ratios, and seconds of CPU, travel.
//
// What is measured is a table, rows.go; each row has a file that says how. Each run
// has fresh homes and directories, and nothing is removed before the end: ext4 is
// several times slower for a minute after many files were removed. Their bytes are
// given back after each run, by cutting the files to nothing.
//
// A row that needs what is not here, space or root, is skipped and says so.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if err := benchmark(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func benchmark() error {
	var out output
	zsync := flag.String("zsync", "bin/zsync", "the `PROGRAM`")
	runs := flag.Int("runs", 3, "runs of each")
	only := flag.String("only", "", "a comma-separated list of rows, for example W1,W3; also the way to have 1M")
	scale := flag.Int("scale", 1, "divide the size of every row by this, for a quick look")
	b := &bench{}
	flag.BoolVar(&b.keep, "keep", false, "keep the directories, which TMPDIR says where to make")
	flag.Var(&out.json, "json", "print JSON, or with -json=`FILE` write it there beside the table")
	flag.StringVar(&out.record, "record", "", "the `DIR` whose bench.json takes the rows of this run, with the plots drawn from it")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	chosen, err := choose(*only)
	if err != nil {
		return err
	}
	b.ctx, b.runs, b.scale = ctx, max(1, *runs), max(1, *scale)
	if err := b.open(*zsync); err != nil {
		return err
	}
	err = b.all(chosen)
	return errors.Join(err, out.write(b), b.close())
}
