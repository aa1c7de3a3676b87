package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// output is where the figures go.
type output struct {
	json   jsonFlag
	record string
}

// jsonFlag is -json, or -json=FILE.
type jsonFlag struct {
	on   bool
	file string
}

func (j *jsonFlag) String() string   { return j.file }
func (j *jsonFlag) IsBoolFlag() bool { return true }

func (j *jsonFlag) Set(value string) error {
	j.on = value != "false"
	if value != "true" && value != "false" {
		j.file = value
	}
	return nil
}

func (o output) write(b *bench) error {
	if o.json.on && o.json.file == "" {
		if err := json.NewEncoder(os.Stdout).Encode(b.results); err != nil {
			return err
		}
	} else {
		table(os.Stdout, b.results)
	}
	if o.json.file != "" {
		if err := writeResults(o.json.file, b.results); err != nil {
			return err
		}
	}
	if o.record == "" {
		return nil
	}
	if b.scale != 1 {
		fmt.Fprintln(os.Stderr, "nothing is recorded of a scaled run")
		return nil
	}
	return recorded(o.record, b.results)
}

// recorded puts the rows of a run in the place of those of the same name in DIR's
// bench.json, and draws them all.
func recorded(dir string, fresh []result) error {
	path := filepath.Join(dir, "bench.json")
	all, err := readResults(path)
	if err != nil {
		return err
	}
	all = merged(all, fresh)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(writeResults(path, all), draw(dir, all))
}

// merged has the fresh rows, and of the old ones those that were not measured now.
func merged(old, fresh []result) []result {
	all := slices.DeleteFunc(slices.Clone(fresh), func(r result) bool { return r.Skipped != "" })
	for _, r := range old {
		if !slices.ContainsFunc(all, func(f result) bool { return f.Row == r.Row }) {
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, byRow)
	return all
}

func readResults(path string) (all []result, err error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return all, nil
}

func writeResults(path string, all []result) error {
	text, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}
