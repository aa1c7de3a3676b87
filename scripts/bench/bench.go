package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bench is one run of the program.
type bench struct {
	ctx         context.Context
	program     string
	version     string
	dir         string
	runs, scale int
	keep        bool // the directories, for a look at them
	results     []result
}

// run is one run of one program in a row: the directory that is its own, the trees
// that the row is about, and where its two sides are.
type run struct {
	*bench
	at    string
	trees []source
	net   *network
}

func (b *bench) open(program string) (err error) {
	if b.program, err = filepath.Abs(program); err != nil {
		return err
	}
	if b.version, err = versionOf(b.program); err != nil {
		return err
	}
	b.dir, err = os.MkdirTemp("", "zsync-bench-")
	return err
}

func (b *bench) close() error {
	if b.keep || b.dir == "" {
		return nil
	}
	return os.RemoveAll(b.dir)
}

// errSkipped is of a row that needs what is not here.
var errSkipped = errors.New("skipped")

// all measures the rows one after the other. What is wrong with one is no reason not
// to have the others.
func (b *bench) all(chosen []row) (err error) {
	for _, w := range chosen {
		result, wrong := b.row(w)
		if wrong != nil {
			result.Skipped = wrong.Error()
			fmt.Fprintf(os.Stderr, "%s: %v\n", w.name, wrong)
		}
		if wrong != nil && !errors.Is(wrong, errSkipped) {
			err = errors.Join(err, fmt.Errorf("%s: %w", w.name, wrong))
		}
		b.results = append(b.results, result)
		if b.ctx.Err() != nil {
			break
		}
	}
	return err
}

// row measures one row and gives its bytes back.
func (b *bench) row(w row) (result, error) {
	res := newResult(b, w)
	if err := b.hasRoom(w); err != nil {
		return res, err
	}
	net, err := w.network()
	if err != nil {
		return res, err
	}
	res.Note = net.note
	r := run{bench: b, net: net}
	err = r.row(w, &res)
	return res, errors.Join(err, net.close(), b.emptied(filepath.Join(b.dir, w.name), everything))
}

func (r run) row(w row, res *result) (err error) {
	at := filepath.Join(r.dir, w.name)
	if r.trees, err = sources(filepath.Join(at, "source"), w.trees, r.scale); err != nil {
		return err
	}
	if w.rsync != nil {
		if err := r.net.listen(filepath.Join(at, "ssh")); err != nil {
			return err
		}
	}
	runs := r.runs
	if w.once {
		runs = 1
	}
	for i := range runs {
		for _, p := range programsOf(w) {
			r.at = filepath.Join(at, fmt.Sprintf("run%d-%s", i+1, p.name))
			if err := r.one(p, res); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	if w.derive != nil {
		w.derive(res.Figures)
	}
	return nil
}

// one lets a program run once, in a directory of its own.
func (r run) one(p program, res *result) error {
	if err := os.MkdirAll(r.at, 0o700); err != nil {
		return err
	}
	got, err := p.run(&r)
	if err != nil {
		return err
	}
	res.add(p.values, got)
	fmt.Fprintf(os.Stderr, "%s %s: %s\n", res.Row, p.name, res.says(got))
	return r.emptied(r.at, whatIsNotShared)
}

// program is one of those that take turns, and where its values belong.
type program struct {
	name   string
	run    func(*run) (sample, error)
	values func(*figure) *[]float64
}

func programsOf(w row) []program {
	all := []program{{"zsync", w.zsync, func(f *figure) *[]float64 { return &f.Zsync }}}
	if w.rsync == nil {
		return all
	}
	all = append(all, program{
		"rsync", func(r *run) (sample, error) { return w.rsync(r) },
		func(f *figure) *[]float64 { return &f.Rsync },
	})
	if w.fsync {
		all = append(all, program{
			"rsync-fsync", func(r *run) (sample, error) { return w.rsync(r, "--fsync") },
			func(f *figure) *[]float64 { return &f.Fsync },
		})
	}
	return all
}
