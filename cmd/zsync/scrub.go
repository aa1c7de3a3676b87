package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/replica"
)

func newScrub(p *program) *cobra.Command {
	var folder, subset string
	var yes bool
	cmd := &cobra.Command{
		Use:   "scrub",
		Short: "Read the files again and put right what the disk has damaged",
		Long: "Reads the files of this device's folders again, from the disk, and compares them with\n" +
			"what they held when they were read first. A file whose bytes are others, while its\n" +
			"size, its times and its inode are as they were, was written by no program: the disk\n" +
			"has damaged it. Its good bytes are fetched from a device that has them and put in its\n" +
			"place; the damaged ones go to the trash. What a program has written, a tool that sets\n" +
			"the old time again included, is a change like any other, and no damage.\n\n" +
			"--subset 5% reads that part of the files, those after where the last scrub ended, so\n" +
			"that 20 runs read all of them. Ctrl-C ends it; the next one goes on where it was.\n" +
			"The exit code is 8 where damage was found, also where all of it is put right.",
		Args: takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			share, err := parseShare(subset)
			if err != nil {
				return err
			}
			return p.scrub(cmd.Context(), folder, control.Scrub{Share: share, Anyway: yes})
		},
	}
	cmd.Flags().StringVar(&folder, "folder", "", "only the folder with this `LABEL`")
	cmd.Flags().StringVar(&subset, "subset", "100%", "read only this `PART` of the files, for example 5%")
	cmd.Flags().BoolVar(&yes, "yes", false, "put files right however many are damaged")
	return p.jsonFlag(cmd)
}

// parseShare reads a percentage.
func parseShare(text string) (float64, error) {
	number, isPercent := strings.CutSuffix(text, "%")
	percent, err := strconv.ParseFloat(number, 64)
	if err != nil || !isPercent || !(percent > 0 && percent <= 100) {
		return 0, failedf(exitUsage, "for example  zsync scrub --subset 5%", "--subset %q is no part above 0%% and up to 100%%", text)
	}
	return percent / 100, nil
}

// scrub reads one folder after the other, or the one with a label.
func (p *program) scrub(ctx context.Context, folder string, order control.Scrub) error {
	st, err := p.status(ctx)
	if err != nil {
		return err
	}
	if !st.Running {
		return failed(exitUnreachable, control.ErrUnreachable, "start it with  zsync daemon  or  zsync watch DIR")
	}
	var worst error
	known := folder == ""
	for _, f := range st.Folders {
		if folder != "" && folder != f.Label {
			continue
		}
		known, order.Folder = true, f.Label
		found, said := p.scrubFolder(ctx, order)
		if ctx.Err() != nil {
			return said
		}
		if said == nil {
			said = p.tellScrub(found, f.Path)
		}
		if worst == nil || exitCode(said) == exitDamage {
			worst = said // a folder that is halted keeps no other from being read
		}
	}
	if !known {
		return failedf(exitFailed, "zsync folders", "this device keeps no folder %q", folder)
	}
	return worst
}

// exitCode is the exit code that an error ends the program with.
func exitCode(err error) int {
	var f *failure
	if errors.As(err, &f) {
		return f.code
	}
	return exitOK
}

func (p *program) scrubFolder(ctx context.Context, order control.Scrub) (found control.Scrubbed, err error) {
	screen := &screen{out: p.stderr, live: isTerminal(p.stderr) && os.Getenv("TERM") != "dumb"}
	err = p.client().Scrub(ctx, order, func(line control.Scrubbed) error {
		if found = line; screen.live {
			screen.show(progress{line: scrubLine(line)})
		}
		return nil
	})
	screen.leave()
	if ctx.Err() != nil {
		return found, context.Canceled
	}
	return found, failed(exitFailed, err, "zsync status")
}

func scrubLine(s control.Scrubbed) string {
	switch {
	case s.Waiting:
		return s.Folder + ": waits until the folder has been looked at"
	case s.Seen < s.Files:
		return fmt.Sprintf("%s: read %d of %s, %s; damaged: %d", s.Folder, s.Seen, count(s.Files, "file"), octets(s.Bytes), s.Damaged)
	}
	return fmt.Sprintf("%s: read; damaged: %d, put right: %d", s.Folder, s.Damaged, s.Repaired)
}

// tellScrub says what a scrub of the folder in dir found, and is an error where that is
// damage or something could not be read.
func (p *program) tellScrub(s control.Scrubbed, dir string) error {
	if p.json {
		if err := p.printJSON(s); err != nil {
			return err
		}
	} else {
		for _, d := range s.Damage {
			fmt.Fprintf(p.stderr, "zsync: %s: %s\n", printable(d.Path), printable(damageSentence(d, dir)))
		}
		for _, u := range s.Unread {
			fmt.Fprintf(p.stderr, "zsync: %s: could not be read: %s\n", printable(u.Path), printable(u.Why))
		}
		fmt.Fprintln(p.stdout, printable(scrubSummary(s)))
	}
	switch {
	case s.Held:
		return failedf(exitDamage, "look after the disk and the memory first (zsync doctor, dmesg); then  zsync scrub --yes  puts all of them right",
			"%s: so many files are damaged that only the first were put right", s.Folder)
	case s.Damaged > s.Repaired:
		return failedf(exitDamage, "connect a device that has them, see  zsync status;  they are put right as soon as one is there",
			"%s: damaged files: %d; put right: %d", s.Folder, s.Damaged, s.Repaired)
	case s.Damaged > 0:
		return failedf(exitDamage, "the disk may be failing: look after it (dmesg, smartctl) and run  zsync scrub  again soon",
			"%s: damaged files: %d; all of them are put right", s.Folder, s.Damaged)
	case len(s.Unread) > 0:
		return failedf(exitFailed, "mostly their mode or owner: ls -l", "%s: files that could not be read: %d", s.Folder, len(s.Unread))
	}
	return nil
}

func damageSentence(d control.Damage, dir string) string {
	kept := ""
	if d.Kept != "" {
		kept = "; the damaged bytes are " + quoted(filepath.Join(dir, zsync.PrivateDir, "versions", d.Kept))
	}
	switch replica.DamageState(d.State) {
	case replica.DamageRepaired:
		return "was damaged on this disk and is put right" + kept
	case replica.DamageOverdue:
		return "was damaged on this disk, and was changed or removed since"
	case replica.DamageHeld:
		return "is damaged on this disk, and left as it is"
	case replica.DamageRole:
		return "is damaged on this disk, and this device's role does not let others put it right"
	}
	return "is damaged on this disk, and no connected device has its good bytes"
}

func scrubSummary(s control.Scrubbed) string {
	text := fmt.Sprintf("%s: read %s (%s): %d as they were", s.Folder, count(s.Seen, "file"), octets(s.Bytes), s.Verified)
	for _, part := range []struct {
		n     int64
		words string
	}{
		{s.Damaged, "damaged: %d"},
		{s.Repaired, "put right: %d"},
		{s.Fickle, "read wrong once, then right: %d"},
		{s.Changed, "changed just now, and left to the next scan: %d"},
		{int64(len(s.Unread)), "not readable: %d"},
	} {
		if part.n > 0 {
			text += "; " + fmt.Sprintf(part.words, part.n)
		}
	}
	return text + "."
}
