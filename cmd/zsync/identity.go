package main

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/gofrs/flock"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/zsync/zsync/security"
)

// passphraseEnv names a file that holds the passphrase of the key file.
const passphraseEnv = "ZSYNC_PASSPHRASE_FILE"

func (p *program) makeHome() error {
	if err := os.MkdirAll(p.home().dir, 0o700); err != nil {
		return failed(exitFailed, fmt.Errorf("home %s: %w", p.home().dir, err), "choose another with --home DIR")
	}
	return nil
}

// loadOrMakeKeys returns this device's keys, making them at the first command.
func (p *program) loadOrMakeKeys(sealed bool) (*security.Keys, error) {
	if err := p.makeHome(); err != nil {
		return nil, err
	}
	if err := p.home().whole(); err != nil {
		return nil, err
	}
	if p.keyless() {
		return p.makeKeys(sealed)
	}
	return p.loadKeys()
}

// keyless reports whether there is no key file. It is asked before the file is read:
// afterwards, another command may have made one that was not there to be read.
func (p *program) keyless() bool {
	_, err := os.Lstat(p.home().keyFile())
	return errors.Is(err, fs.ErrNotExist)
}

// makeKeys makes the keys, unless another command has made them meanwhile: only one
// at a time does, or one of two would show keys that the other overwrites.
func (p *program) makeKeys(sealed bool) (keys *security.Keys, err error) {
	h := p.home()
	lock := flock.New(h.path("key.lock"), flock.SetPermissions(0o600))
	if err := lock.Lock(); err != nil {
		return nil, failed(exitFailed, wrap(err, lock.Path()), "")
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if !p.keyless() {
		return p.loadKeys()
	}
	var passphrase []byte
	if sealed || os.Getenv(passphraseEnv) != "" {
		if passphrase, err = p.newPassphrase(); err != nil {
			return nil, err
		}
	}
	if keys, err = security.GenerateKeys(rand.Reader); err != nil {
		return nil, failed(exitFailed, err, "")
	}
	if err := keys.Save(h.keyFile(), passphrase); err != nil {
		return nil, failed(exitFailed, err, "")
	}
	fmt.Fprintf(p.stderr, "This is a new device; its keys are in %s.\n", printable(h.dir)) // or --home was mistyped
	return keys, nil
}

// loadKeys returns this device's keys, which must be there.
func (p *program) loadKeys() (*security.Keys, error) {
	if p.keyless() {
		return nil, failedf(exitFailed, "zsync init", "this device has no keys yet (home %s)", p.home().dir)
	}
	keys, err := security.LoadKeys(p.home().keyFile(), p.passphrase)
	return keys, keyFailure(err)
}

// keyFailure says what to do about a key file that could not be read.
func keyFailure(err error) error {
	var said *failure
	switch {
	case err == nil || errors.As(err, &said):
		return err
	case errors.Is(err, security.ErrPassphrase):
		return failed(exitFailed, err, "try again; the passphrase is asked for, or read from the file that "+passphraseEnv+" names")
	case errors.Is(err, security.ErrKeyFile):
		return failed(exitDamage, err, "put the key file back from a backup; without it, move it away and run  zsync repair,  which says how to go on")
	}
	return failed(exitFailed, err, "")
}

// passphrase reads the passphrase from the file that the environment names, or
// from the terminal. It never comes from the command line.
func (p *program) passphrase() ([]byte, error) {
	if path := os.Getenv(passphraseEnv); path != "" {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, failed(exitFailed, fmt.Errorf("passphrase: %w", err), "name a file that can be read in "+passphraseEnv)
		}
		return bytes.TrimRight(text, "\r\n"), nil
	}
	return p.askSecret("Passphrase: ")
}

// newPassphrase is passphrase, asked for twice.
func (p *program) newPassphrase() ([]byte, error) {
	first, err := p.passphrase()
	if err != nil {
		return nil, err
	}
	if len(first) == 0 {
		return nil, failedf(exitUsage, "leave --passphrase out to keep the keys without one", "the passphrase is empty")
	}
	if os.Getenv(passphraseEnv) != "" {
		return first, nil
	}
	again, err := p.askSecret("The same again: ")
	if err == nil && !bytes.Equal(first, again) {
		err = failedf(exitFailed, "try again", "the two passphrases differ")
	}
	return first, err
}

func (p *program) askSecret(question string) ([]byte, error) {
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return nil, failedf(exitConfirm, "put it in a file and name that in "+passphraseEnv, "the key file needs a passphrase, and there is no terminal to ask on")
	}
	stdin := int(os.Stdin.Fd())
	before, err := term.GetState(stdin)
	if err != nil {
		return nil, failed(exitFailed, err, "")
	}
	fmt.Fprint(p.stderr, question)
	text, err := answer(func() ([]byte, error) { return term.ReadPassword(stdin) })
	fmt.Fprintln(p.stderr)
	return text, asFailure(errors.Join(err, term.Restore(stdin, before))) // Ctrl-C leaves it without an echo
}

func newInit(p *program) *cobra.Command {
	var name string
	var sealed bool
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make this device's keys",
		Args:  takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if _, err := os.Stat(p.home().keyFile()); err == nil {
				return failedf(exitFailed, "zsync id", "this device has its keys already (%s)", p.home().keyFile())
			}
			if cmd.Flags().Changed("name") {
				if _, err := security.ParseDeviceName(name); err != nil {
					return failed(exitUsage, err, "choose another with --name")
				}
			}
			keys, err := p.loadOrMakeKeys(sealed)
			if err != nil {
				return err
			}
			return p.printID(keys, name)
		},
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` that other devices call this one by (default: the host's name)")
	cmd.Flags().BoolVar(&sealed, "passphrase", false, "ask for a passphrase that seals the key file")
	return p.jsonFlag(cmd)
}

func newID(p *program) *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "id",
		Short: "Show this device's key, name and id",
		Args:  takes(""),
		RunE: func(*cobra.Command, []string) error {
			keys, err := p.loadOrMakeKeys(false)
			if err != nil {
				return err
			}
			return p.printID(keys, "")
		},
	})
}

// printID prints who this device is; name is a new name, or "".
func (p *program) printID(keys *security.Keys, name string) error {
	settings, err := p.remember(deviceFlags{name: name})
	if err != nil {
		return err
	}
	if p.json {
		return p.printJSON(struct {
			Version int    `json:"v"`
			Key     string `json:"key"`
			Device  string `json:"device"`
			Name    string `json:"name"`
		}{1, keys.Key().String(), keys.Device().String(), settings.Name})
	}
	fmt.Fprintf(p.stdout, "key     %s\nname    %s\ndevice  %s\n", keys.Key(), settings.Name, keys.Device())
	return nil
}

func newVersion(p *program) *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "version",
		Short: "Show the version",
		Args:  takes(""),
		RunE: func(*cobra.Command, []string) error {
			if p.json {
				return p.printJSON(struct {
					Version int    `json:"v"`
					Program string `json:"version"`
				}{1, version})
			}
			_, err := fmt.Fprintf(p.stdout, "zsync %s\n", version)
			return err
		},
	})
}
