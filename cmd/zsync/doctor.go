package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/internal/zeromq"
	"github.com/zsync/zsync/security"
)

func newDoctor(p *program) *cobra.Command {
	return p.jsonFlag(&cobra.Command{
		Use:   "doctor",
		Short: "Test what this device needs, and say what to do",
		Long: "Tests the home, the databases, the folders and their disks, the limits of this system,\n" +
			"the ports, the other devices and the clock. Each line says ok, warn or bad and, where\n" +
			"something can be done, the command to type. It changes nothing, and works whether the\n" +
			"device runs or not. The exit code is 8 for damage, 1 for anything else that is bad.",
		Args: takes(""),
		RunE: func(cmd *cobra.Command, _ []string) error { return p.doctor(cmd.Context()) },
	})
}

// The levels of a finding.
const (
	levelOK   = "ok"
	levelWarn = "warn"
	levelBad  = "bad"
)

// finding is one thing that was looked at.
type finding struct {
	Level string `json:"level"` // ok, warn or bad
	Area  string `json:"area"`
	Says  string `json:"says"`
	Do    string `json:"do"` // a command to type, or ""
}

// checkup gathers findings.
type checkup struct {
	program  *program
	home     home
	status   control.Status // of a device that runs
	running  bool
	folders  []control.Folder
	settings settings
	trusted  []security.Record
	keys     *security.Keys // nil where they cannot be read
	damage   bool
	found    []finding
}

func (c *checkup) say(level, area, do, format string, args ...any) {
	c.found = append(c.found, finding{level, area, fmt.Sprintf(format, args...), do})
}

func (p *program) doctor(ctx context.Context) error {
	c := &checkup{program: p, home: p.home()}
	status, err := p.client().Status(ctx)
	c.status, c.running = status, err == nil
	if c.checkHome() {
		c.checkDatabases()
		c.checkPorts()
		c.checkFolders()
		c.checkPeers()
	}
	c.checkLimits()
	c.checkClock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return c.tell()
}

// tell prints what was found.
func (c *checkup) tell() error {
	p := c.program
	bad := 0
	for _, f := range c.found {
		if f.Level == levelBad {
			bad++
		}
	}
	if p.json {
		err := p.printJSON(struct {
			Version  int       `json:"v"`
			OK       bool      `json:"ok"`
			Findings []finding `json:"findings"`
		}{1, bad == 0, c.found})
		if err != nil {
			return err
		}
	} else {
		out := newTable(p.stdout)
		for _, f := range c.found {
			out.row(f.Level, f.Area, f.Says)
			if f.Do != "" && f.Level != levelOK {
				out.row("", "", "  "+f.Do)
			}
		}
		if err := out.flush(); err != nil {
			return err
		}
	}
	switch {
	case c.damage:
		return failedf(exitDamage, "zsync repair", "there is damage in %s", c.home.dir)
	case bad > 0:
		return failedf(exitFailed, "each line above that says bad has what to do below it", "things that are bad: %d", bad)
	}
	return nil
}

// checkHome looks at the home's own files. Without keys there is nothing to go on with.
func (c *checkup) checkHome() (goesOn bool) {
	h := c.home
	info, err := os.Stat(h.dir)
	switch {
	case err != nil || !there(h.keyFile()) && !there(h.database()) && !there(h.folders()):
		c.say(levelWarn, "home", "zsync init", "there is no device yet in %s", h.dir)
		return false
	case info.Mode().Perm()&0o077 != 0:
		c.say(levelBad, "home", "chmod 700 "+quoted(h.dir), "others may look into %s (mode %#o)", h.dir, info.Mode().Perm())
	default:
		c.say(levelOK, "home", "", "%s is this device's alone", h.dir)
	}
	var lost *failure
	if errors.As(h.whole(), &lost) {
		c.damage = true
		c.say(levelBad, "home", "zsync repair", "%s", lost.what)
		return false
	}
	keys, err := security.LoadKeys(h.keyFile(), nil)
	switch c.keys = keys; {
	case errors.Is(err, security.ErrPassphraseNeeded):
		c.say(levelOK, "keys", "", "the key file is sealed with a passphrase")
	case errors.Is(err, security.ErrExposed):
		c.say(levelBad, "keys", "chmod 600 "+quoted(h.keyFile()), "others may read the key file %s", h.keyFile())
	case err != nil:
		c.damage = c.damage || errors.Is(err, security.ErrKeyFile)
		c.say(levelBad, "keys", "put the key file back from a backup", "the key file cannot be read: %v", err)
	default:
		c.say(levelOK, "keys", "", "the key file can be read, and by nobody else")
	}
	if c.settings, err = c.program.readSettings(); err != nil {
		c.say(levelBad, "settings", "mend the file, or remove it to start with the defaults", "%v", err)
	}
	return true
}

// checkDatabases reads all pages of the databases of a device that does not run; of
// one that does, the device says itself what is wrong.
func (c *checkup) checkDatabases() {
	h := c.home
	if c.running {
		c.say(levelOK, "device", "", "it runs, and has its databases open")
		c.folders = c.status.Folders
		return
	}
	if !there(h.database()) {
		c.say(levelWarn, "device", "zsync watch DIR", "it has never run, and keeps no folder")
		return
	}
	err := bolt.Check(h.database())
	if locked(err) {
		c.say(levelWarn, "device", "zsync doctor", "it is starting or ending; ask again in a moment")
		return
	}
	c.say(levelWarn, "device", "zsync daemon", "it does not run, so nothing is kept in sync")
	if c.checked("device.db", err) {
		w, err := c.program.written()
		if err != nil {
			c.checked("device.db", err)
			return
		}
		c.trusted = w.trust.Records()
		for _, reg := range w.folders {
			c.folders = append(c.folders, control.Stopped(reg))
			c.checkDatabase(reg)
		}
	}
}

func (c *checkup) checkDatabase(reg device.Registration) {
	path := c.home.space(reg.Space.String())
	if !there(path) {
		c.say(levelWarn, "database", "zsync repair", "the database of %s is not there: it is made anew at the next start", reg.Label)
		return
	}
	c.checked("the database of "+string(reg.Label), bolt.Check(path))
}

// checked says how a database is.
func (c *checkup) checked(what string, err error) bool {
	if err == nil {
		c.say(levelOK, "database", "", "%s is whole", what)
		return true
	}
	c.damage = c.damage || isDamage(err)
	c.say(levelBad, "database", "zsync repair", "%s cannot be read: %v", what, err)
	return false
}

// checkPorts finds out whether other devices could connect, as far as this computer
// can tell.
func (c *checkup) checkPorts() {
	listen, transfer := c.settings.Listen, c.settings.Transfer
	if c.running {
		listen, transfer = c.status.Device.Listen, c.status.Device.Transfer
	}
	for _, each := range []struct{ flag, address string }{{"--listen", listen}, {"--listen-transfer", transfer}} {
		switch {
		case each.address == "":
			c.say(levelOK, "port", "", "%s: a free port is chosen at the first start", each.flag)
		case c.running: // dialling it would show in its status as a stranger
			c.say(levelOK, "port", "", "%s %s: the device listens there; a firewall before it shows on the other devices only", each.flag, each.address)
		case !bindable(each.address):
			c.say(levelBad, "port", "ss -ltnp  shows which program has it; choose another with "+each.flag+" HOST:PORT", "%s %s cannot be used: %s", each.flag, each.address, "another program has it, or the address is not this computer's")
		default:
			c.say(levelOK, "port", "", "%s %s is free for the next start", each.flag, each.address)
		}
	}
	c.say(levelOK, "beacon", "", "this version sends none: devices are found by the addresses that  zsync pair --peer  was given")
}

func bindable(address string) bool {
	listener, err := net.Listen("tcp", address)
	return err == nil && listener.Close() == nil
}

const filesLeast = 1024 // descriptors: 3 a peer and link, and some for the folders

func (c *checkup) checkLimits() {
	switch most, err := zeromq.RaiseFileLimit(); {
	case err != nil:
		c.say(levelWarn, "limits", "", "%v", err)
	case most < filesLeast:
		c.say(levelWarn, "limits", "ulimit -Hn 4096", "a program may have %d files open: too few for many devices", most)
	default:
		c.say(levelOK, "limits", "", "a program may have %d files open", most)
	}
	c.checkWatches()
}
