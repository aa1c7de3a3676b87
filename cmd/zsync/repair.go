package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/disk"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/security"
)

func newRepair(p *program) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:   "repair",
		Short: "Rebuild a damaged or lost database of this device",
		Long: "Checks all that this device keeps in its home, says what is damaged or lost and what\n" +
			"repairing it means, and asks. A damaged database is moved aside and never removed; a\n" +
			"new one is made from the folder on this disk and from your other devices. No file of\n" +
			"a folder is changed or removed. The device must not run meanwhile.",
		Args: takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.repair(cmd.Context(), yes) },
	}
	cmd.Flags().BoolVar(&yes, "yes", false, "do it without asking")
	return cmd
}

// harm is one thing that is not as it was written.
type harm struct {
	what  string       // a sentence
	means string       // what repairing it means, and what not
	mend  func() error // nil: it cannot be mended
}

// repair checks the home, says what it finds, and mends it once a person has agreed.
func (p *program) repair(ctx context.Context, yes bool) (err error) {
	h := p.home()
	if !there(h.dir) {
		return failedf(exitFailed, "name another with --home DIR", "there is no home %s", h.dir)
	}
	lock := flock.New(h.lock(), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	switch {
	case err != nil:
		return failed(exitFailed, wrap(err, h.lock()), "")
	case !held:
		return failedf(exitFailed, "stop it first: Ctrl-C where it runs, or SIGTERM", "%v (%s)", errRunning, h.dir)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	harms, err := p.harms()
	if err != nil {
		return err
	}
	if len(harms) == 0 {
		fmt.Fprintf(p.stdout, "Nothing is damaged in %s.\n", printable(h.dir))
		return nil
	}
	hopeless := 0
	for _, harm := range harms {
		fmt.Fprintf(p.stdout, "%s\n%s\n", printable(harm.what), indented(harm.means))
		if harm.mend == nil {
			hopeless++
		}
	}
	if hopeless == len(harms) {
		return failedf(exitDamage, "", "nothing of that can be mended by this command")
	}
	if !yes {
		agreed, err := p.confirm("Do that?", "--yes answers it")
		if err != nil {
			return err
		}
		if !agreed {
			return failedf(exitConfirm, "", "nothing was changed")
		}
	}
	for _, harm := range harms {
		if harm.mend == nil {
			continue
		}
		if err := harm.mend(); err != nil {
			return failed(exitFailed, fmt.Errorf("%s %w", harm.what, err), "what was mended before it stays so; see to that and run  zsync repair  again")
		}
	}
	if hopeless > 0 {
		return failedf(exitDamage, "see above, and run  zsync repair  again", "not all of that could be mended")
	}
	fmt.Fprintln(p.stdout, "Done.")
	return ctx.Err()
}

// harms checks everything that a device cannot do without.
func (p *program) harms() ([]harm, error) {
	h := p.home()
	if !there(h.keyFile()) {
		if !there(h.database()) && !there(h.folders()) {
			return nil, failedf(exitFailed, "zsync init", "this device has no keys yet (home %s)", h.dir)
		}
		return []harm{p.lostKey()}, nil
	}
	_, err := security.LoadKeys(h.keyFile(), nil)
	if err != nil && !errors.Is(err, security.ErrPassphraseNeeded) {
		return nil, keyFailure(err)
	}
	folders, harms := p.harmedDevice()
	for _, reg := range folders {
		if harm := p.harmedFolder(reg); harm != nil {
			harms = append(harms, *harm)
		}
	}
	return harms, nil
}

// harmedDevice checks device.db, and returns the folders that it tells of, or that were
// noted beside it.
func (p *program) harmedDevice() (folders []device.Registration, harms []harm) {
	h := p.home()
	noted, notedErr := h.notedFolders()
	what := fmt.Sprintf("The database of this device is lost (%s).", h.database())
	if there(h.database()) {
		var err error
		if folders, err = examineDevice(h); err == nil {
			return folders, nil
		}
		what = fmt.Sprintf("The database of this device cannot be read: %v.", err)
	} else if !there(h.folders()) && !there(h.generation()) {
		return nil, nil // it never ran
	}
	means := "A new one is made. The devices that it trusts are taken from " + h.trusted() + ", and the circle is joined again when one of them is reached.\n"
	switch {
	case notedErr != nil:
		means += "Which folders it keeps is lost too: take each up again with  zsync watch DIR  afterwards. No file of them is touched."
	case len(noted) == 0:
		means += "No folder is noted that it kept; take up any with  zsync watch DIR."
	default:
		for _, reg := range noted {
			means += fmt.Sprintf("It keeps the folder %s again, in %s.\n", reg.Label, reg.Dir)
		}
		means += "The folders' own databases and files stay as they are."
	}
	means += "\nA device that took every folder offered does so again once it is started with  zsync serve DIR."
	return noted, []harm{{what: what, means: means, mend: func() error {
		if err := aside(h.database()); err != nil {
			return err
		}
		db, err := bolt.Open(h.database())
		if err != nil {
			return err
		}
		return errors.Join(device.Rebuild(db, noted, draw()), db.Close())
	}}}
}

// examineDevice reads all of device.db that a start needs, and the log of the circle.
func examineDevice(h home) (folders []device.Registration, err error) {
	if err := bolt.Check(h.database()); err != nil {
		return nil, err
	}
	db, err := bolt.OpenReadOnly(h.database())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, circle, err := device.Known(db, h.trusted())
	if err == nil && !circle.IsZero() {
		err = device.Examine(db, circle)
	}
	if err == nil {
		folders, _, err = device.Kept(db)
	}
	return folders, err
}

// harmedFolder checks the database of one folder; nil where nothing is wrong.
func (p *program) harmedFolder(reg device.Registration) *harm {
	path := p.home().space(reg.Space.String())
	what := fmt.Sprintf("The database of the folder %s is lost (%s).", reg.Label, path)
	if there(path) {
		err := examineSpace(path, reg.Space)
		if err == nil {
			return nil
		}
		what = fmt.Sprintf("The database of the folder %s cannot be read: %v.", reg.Label, err)
	}
	if !there(filepath.Join(reg.Dir, zsync.PrivateDir, "id")) {
		return &harm{what: what, means: fmt.Sprintf("It cannot be made anew while %s is not there, or is not the folder: connect the disk, and run  zsync repair  again.", reg.Dir)}
	}
	means := fmt.Sprintf("A new one is made: all files in %s are read again, and the log comes from your other devices. No file is changed or removed for it.\n"+
		"What was deleted or moved on other devices while this one did not hear of it comes back; a file that differs from theirs is kept beside it as a conflict copy.\n"+
		"What no other device has heard of is no longer in  zsync log;  what is in the trash stays in %s, and  zsync trash  no longer lists it.",
		reg.Dir, filepath.Join(reg.Dir, zsync.PrivateDir, "versions"))
	return &harm{what: what, means: means, mend: func() error {
		if err := aside(path); err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		db, err := bolt.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(disk.Remember(db, reg.Dir), db.Close())
	}}
}

func examineSpace(path string, space zsync.SpaceID) error {
	if err := bolt.Check(path); err != nil {
		return err
	}
	db, err := bolt.OpenReadOnly(path)
	if err != nil {
		return err
	}
	return errors.Join(device.Examine(db, space), db.Close())
}

// lostKey is what is left where the key file is gone: the device is another one now.
func (p *program) lostKey() harm {
	h := p.home()
	folders, err := examineDevice(h)
	if err != nil || !there(h.database()) {
		folders, _ = h.notedFolders()
	}
	means := "If there is a backup of that file, put it back instead, and all goes on as before.\n" +
		"Without it this is a new device to the others: nobody can prove any more to be the old one. What the old one wrote in " + h.dir + " is moved aside; the settings and the folders' files stay.\n" +
		"Then, on this device:  zsync init,  zsync pair --key KEY  with the key of another device, on that one  zsync pair --key  with the new key of this one, and"
	for _, reg := range folders {
		means += fmt.Sprintf("\n  zsync watch %s --label %s", quoted(reg.Dir), quoted(string(reg.Label)))
	}
	if len(folders) == 0 {
		means += "  zsync watch DIR  for each folder."
	}
	means += "\nFiles that are the same there are not sent again; one that differs is kept beside the other. The old device stays in the list of the others, and is never there."
	return harm{what: fmt.Sprintf("The key file of this device is lost (%s).", h.keyFile()), means: means, mend: func() error {
		for _, path := range []string{h.database(), h.folders(), h.trusted(), h.generation(), h.path("spaces")} {
			if err := aside(path); err != nil {
				return err
			}
		}
		return nil
	}}
}

// aside gives what is at path, if anything is, another name beside it.
func aside(path string) error {
	if !there(path) {
		return nil
	}
	for n := 1; ; n++ {
		to := fmt.Sprintf("%s.damaged-%d", path, n)
		if !there(to) {
			return os.Rename(path, to)
		}
	}
}

// indented puts two spaces before each line.
func indented(text string) (out string) {
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			out += "\n"
		}
		out += "  " + printable(line)
	}
	return out
}
