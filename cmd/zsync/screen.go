package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
)

func (p *program) printStatus(st control.Status) error {
	if p.json {
		return p.printJSON(st)
	}
	if !st.Running {
		fmt.Fprintln(p.stderr, "No device is running for this home; "+runHint)
	}
	out := newTable(p.stdout)
	out.row(st.Device.Name, shortKey(st.Device.Key), listening(st))
	addFolders(out, st)
	addPeers(out, st)
	if err := errors.Join(out.flush(), p.printStats(st.Stats)); err != nil {
		return err
	}
	if len(st.Folders) == 0 && len(st.Offered) == 0 {
		fmt.Fprintln(p.stderr, noFolders)
	}
	return nil
}

// noFolders says what a device without folders is for.
const noFolders = "This device keeps no folder yet; to share one:  zsync watch DIR"

func listening(st control.Status) string {
	if st.Running {
		return "listening on " + st.Device.Listen
	}
	return ""
}

func addFolders(out *table, st control.Status) {
	for _, f := range st.Folders {
		out.row()
		out.row(f.Label, folderState(st, f), folderFigures(f)+limitedHere(st, f), f.Path)
		for _, d := range f.Devices {
			out.row("  "+d.Name, deviceState(f.Devices, d)+limitedTo(st, d))
		}
		for _, held := range f.Held {
			out.row("  ! " + held.Why)
		}
		for _, problem := range f.Problems {
			out.row("  ! " + problemLine(problem))
		}
	}
	if len(st.Offered) > 0 {
		out.row()
	}
	for _, label := range st.Offered {
		out.row(label, "not here", "to have it:  zsync watch DIR --label "+quoted(label))
	}
}

func folderFigures(f control.Folder) string {
	if f.State == device.StateOffline {
		return ""
	}
	text := count(f.Files, "file") + ", " + octets(f.Bytes)
	if f.NeedFiles > 0 {
		text += fmt.Sprintf(", %d %%, %s (%s) to go", f.Percent, count(f.NeedFiles, "file"), octets(f.Left)) + pace(f.Progress)
	}
	switch {
	case f.Conflicts == 1:
		text += ", 1 conflict copy"
	case f.Conflicts > 1:
		text += fmt.Sprintf(", %d conflict copies", f.Conflicts)
	}
	return text
}

func problemLine(p control.Problem) string {
	if p.Path == "" {
		return p.Why
	}
	return p.Path + ": " + p.Why
}

// addPeers shows who is connected, who was paired here and has not been met, and
// who tried to be.
func addPeers(out *table, st control.Status) {
	if len(st.Peers)+len(st.Pending)+len(st.Attempts) > 0 {
		out.row()
	}
	for _, peer := range st.Peers {
		name := peer.Name
		if name == "" {
			name = shortKey(peer.Key)
		}
		at := strings.TrimPrefix(peer.Endpoint, "tcp://")
		switch peer.State {
		case control.PeerConnecting:
			out.row(name, peer.State, at)
			continue
		case control.PeerEvasive:
			peer.State = "not answering"
		}
		out.row(name, peer.State, fmt.Sprintf("%s, sent %s, received %s", at, octets(peer.Sent), octets(peer.Received)))
	}
	notes := notesOf(st)
	if len(notes) > 0 && len(st.Peers) > 0 {
		out.row()
	}
	for _, note := range notes {
		out.row("! " + note)
	}
}

func notesOf(st control.Status) (notes []string) {
	if st.CircleWhy != "" {
		notes = append(notes, st.CircleWhy)
	}
	for _, p := range st.Pending {
		who := shortKey(p.Key)
		if p.Name != "" {
			who = p.Name
		}
		notes = append(notes, fmt.Sprintf("%s was paired here, and waits for:  zsync pair --key %s  on that device", who, st.Device.Key))
	}
	for _, o := range st.Offences {
		notes = append(notes, offenceLine(o))
	}
	for _, a := range st.Attempts {
		notes = append(notes, attemptLine(a))
	}
	return notes
}

// offenceLine names a device that misbehaves, so that a person can look at it.
func offenceLine(o control.Offence) string {
	name := o.Name
	if name == "" {
		name = "a device"
	}
	return fmt.Sprintf("%s (%s) %s (%s, last %s)", name, o.Device[:16], o.Why, times(o.Count), ago(o.Last))
}

func attemptLine(a control.Attempt) string {
	switch {
	case a.Why != "" && a.Address != "":
		return fmt.Sprintf("%s: %s, not %s (%s, last %s)", a.Address, a.Why, shortKey(a.Key), times(a.Count), ago(a.Last))
	case a.Why != "":
		return fmt.Sprintf("%s: %s (%s, last %s)", shortKey(a.Key), a.Why, times(a.Count), ago(a.Last))
	case a.Key == "" && a.Address == "":
		return fmt.Sprintf("something connected without a key and was refused (%s, last %s)", times(a.Count), ago(a.Last))
	case a.Key == "":
		return fmt.Sprintf("something at %s connected without a key and was refused (%s, last %s)", a.Address, times(a.Count), ago(a.Last))
	}
	return fmt.Sprintf("a stranger at %s knocked %s, last %s, and was refused; if it is yours:  zsync pair --key %s", a.Address, times(a.Count), ago(a.Last), a.Key)
}

// quoted returns a label as a shell takes it in one word.
func quoted(label string) string {
	if strings.ContainsAny(label, " \t\n'\"\\$&;|<>()*?[]#~`!{}") {
		return "'" + strings.ReplaceAll(label, "'", `'\''`) + "'"
	}
	return label
}
