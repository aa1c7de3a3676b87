package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/zsync/zsync/internal/control"
)

func newDevices(p *program) *cobra.Command {
	return p.newList("devices", "Show who is in the circle", "List the devices of the circle", p.printDevices)
}

// newList makes a command that prints a part of the status, and so does its ls.
func (p *program) newList(name, short, shortLs string, print func(control.Status) error) *cobra.Command {
	list := func(cmd *cobra.Command, _ []string) error {
		st, err := p.status(cmd.Context())
		if err != nil {
			return err
		}
		return print(st)
	}
	parent := &cobra.Command{Use: name, Short: short, Args: takes(""), RunE: list}
	parent.AddCommand(p.jsonFlag(&cobra.Command{Use: "ls", Short: shortLs, Args: takes(""), RunE: list}))
	return p.jsonFlag(parent)
}

// deviceLine is one line of `zsync devices ls --json`.
type deviceLine struct {
	Version int    `json:"v"`
	Device  string `json:"device"`
	Name    string `json:"name"`
	State   string `json:"state"`
	Seen    string `json:"seen"`
	Self    bool   `json:"self"`
	Silent  bool   `json:"silent"` // it is linked, and does not answer
}

// stateLinked is the state of a device that is connected to this one.
const stateLinked = "linked"

// words say only whether the device is there: how far it is, is another matter for each
// folder, which  zsync status  shows.
func (d deviceLine) words() string {
	switch {
	case d.Self:
		return "here"
	case d.Silent:
		return "connected, does not answer"
	case d.State == stateLinked:
		return "connected"
	case d.Seen != "":
		return "not connected, seen " + ago(d.Seen)
	}
	return "not connected"
}

func (p *program) printDevices(st control.Status) error {
	lines := []deviceLine{{1, st.Device.Device, st.Device.Name, "here", "", true, false}}
	for _, d := range st.Circle {
		state := d.State
		if d.Linked {
			state = stateLinked
		}
		lines = append(lines, deviceLine{1, d.Device, d.Name, state, d.Seen, false, d.Silent})
	}
	out := newTable(p.stdout)
	for _, line := range lines {
		if p.json {
			if err := p.printJSON(line); err != nil {
				return err
			}
			continue
		}
		out.row(line.Name, line.words(), line.Device[:16])
	}
	return out.flush()
}

func newFolders(p *program) *cobra.Command {
	cmd := p.newList("folders", "Show what is shared, and how", "List the folders of this device", p.printFolders)
	cmd.AddCommand(newIgnore(p))
	return cmd
}

// folderEntry is one line of `zsync folders ls --json`.
type folderEntry struct {
	Version int    `json:"v"`
	Name    string `json:"name"`
	Path    string `json:"path"`
	Space   string `json:"space"`
	Role    string `json:"role"`
	State   string `json:"state"`
}

func (p *program) printFolders(st control.Status) error {
	out := newTable(p.stdout)
	for _, f := range st.Folders {
		if p.json {
			if err := p.printJSON(folderEntry{1, f.Label, f.Path, f.Space, f.Role, f.State}); err != nil {
				return err
			}
			continue
		}
		out.row(f.Label, f.Role, folderState(st, f), f.Path)
	}
	if err := out.flush(); err != nil || p.json {
		return err
	}
	if len(st.Folders) == 0 && len(st.Offered) == 0 {
		fmt.Fprintln(p.stderr, noFolders)
	}
	for _, label := range st.Offered {
		fmt.Fprintf(p.stderr, "%s is in the circle and not here; to have it:  zsync watch DIR --label %s\n", printable(label), quoted(label))
	}
	return nil
}
