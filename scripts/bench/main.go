// Command bench measures how long two fresh devices on this machine take to have
// the same files, from the start of both to the other side's last commit, and
// holds it against rsync over ssh, in turns, in the same run. Absolute seconds
// belong to the machine; ratios travel.
//
// Each run has fresh homes and directories, and nothing is removed before the
// end: ext4 is several times slower for a minute after many files were removed.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	zsync := flag.String("zsync", "bin/zsync", "the program")
	runs := flag.Int("runs", 3, "runs of each")
	only := flag.String("only", "", "a comma-separated list of workloads, for example W1,W3")
	scale := flag.Int("scale", 1, "divide the size of every workload by this, for a quick look")
	asJSON := flag.Bool("json", false, "print JSON")
	keep := flag.Bool("keep", false, "keep the directories")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	b := &bench{ctx: ctx, runs: *runs, scale: *scale}
	if err := errors.Join(b.open(*zsync), b.all(*only), b.close(*keep)); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	b.print(*asJSON)
}

// bench is one run of the program.
type bench struct {
	ctx         context.Context
	program     string
	dir         string
	runs, scale int
	ssh         *sshServer
	results     []result
}

// result is what one workload took. Peak is the larger of the two sides' peak
// resident memory, in MiB.
type result struct {
	Workload string    `json:"workload"`
	About    string    `json:"about"`
	Zsync    []float64 `json:"zsync_seconds"`
	Rsync    []float64 `json:"rsync_seconds"`
	Fsync    []float64 `json:"rsync_fsync_seconds"`
	Ratio    float64   `json:"ratio"`
	Peak     float64   `json:"peak_mib"`
}

func (b *bench) open(program string) (err error) {
	if b.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "zsync-bench-"); err != nil {
		return err
	}
	b.ssh, err = startSSH(filepath.Join(b.dir, "ssh"))
	return err
}

func (b *bench) close(keep bool) error {
	if b.ssh != nil {
		b.ssh.stop()
	}
	if keep {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// all runs every workload, the two programs in turns.
func (b *bench) all(only string) error {
	for _, w := range workloads {
		if only != "" && !slices.Contains(strings.Split(only, ","), w.name) {
			continue
		}
		if err := b.one(w); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

func (b *bench) one(w workload) error {
	source := filepath.Join(b.dir, w.name)
	files, err := w.make(source, b.scale)
	if err != nil {
		return err
	}
	r := result{Workload: w.name, About: w.about}
	for i := range b.runs {
		at := filepath.Join(b.dir, fmt.Sprintf("%s-run%d", w.name, i))
		seconds, peak, err := b.zsync(source, at, files)
		if err != nil {
			return err
		}
		r.Zsync, r.Peak = append(r.Zsync, seconds), max(r.Peak, peak)
		if seconds, err = b.rsync(source, filepath.Join(at, "rsync")); err != nil {
			return err
		}
		r.Rsync = append(r.Rsync, seconds)
		if seconds, err = b.rsync(source, filepath.Join(at, "fsync"), "--fsync"); err != nil {
			return err
		}
		r.Fsync = append(r.Fsync, seconds)
		fmt.Fprintf(os.Stderr, "%s run %d: zsync %.2f s, rsync over ssh %.2f s, with --fsync %.2f s\n",
			w.name, i+1, r.Zsync[i], r.Rsync[i], r.Fsync[i])
	}
	r.Ratio = median(r.Zsync) / median(r.Rsync)
	b.results = append(b.results, r)
	return nil
}

func (b *bench) print(asJSON bool) {
	if asJSON {
		_ = json.NewEncoder(os.Stdout).Encode(b.results) // to a terminal or a file that says so itself
		return
	}
	fmt.Printf("%-4s %-34s %9s %9s %7s %9s %10s\n", "", "", "zsync s", "rsync s", "ratio", "--fsync s", "peak MiB")
	for _, r := range b.results {
		fmt.Printf("%-4s %-34s %9.2f %9.2f %7.2f %9.2f %10.0f\n",
			r.Workload, r.About, median(r.Zsync), median(r.Rsync), r.Ratio, median(r.Fsync), r.Peak)
	}
}

func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2]
}
