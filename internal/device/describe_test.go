package device_test

import (
	"fmt"
	"strings"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/zre"
)

var typeNames = []string{"?", "HEADS", "VV", "PULL", "EVENTS", "FORK", "NAK", "CERT", "WANT", "PROGRESS"}

// describe tells in words what a machine says, a line for each thing. Of octets
// only the kind and the number are told: run twice, they are compared in full.
func (s *stage) describe(a *actor, e device.Effect) (lines []string) {
	switch what := e.What.(type) {
	case device.NetOrders:
		return s.describeOrders(e.To.Part, what)
	case device.Admission:
		return []string{"gate: trusted " + s.keyNames(what.Trusted) + ", pending " + s.keyNames(what.Pending) + ", revoked " + s.keyNames(what.Revoked)}
	case device.SaveTrust:
		return []string{fmt.Sprintf("home: save trust, %d keys", strings.Count(string(what.Text), "\n")-1)}
	case device.Noticed:
		return []string{"owner: notice of " + what.Name}
	case device.WriteTrusted:
		return []string{fmt.Sprintf("owner: write trusted, %d octets", len(what.Text))}
	case security.Met:
		return []string{fmt.Sprintf("home: met %s, step %d", what.Cert.Name, what.Next)}
	case device.Linked:
		return []string{s.to(e.To) + "linked to " + what.Peer.Name}
	case device.Unlinked:
		return []string{s.to(e.To) + "unlinked from " + s.deviceName(what.Device)}
	case device.Heard:
		return []string{fmt.Sprintf("%sheard %s from %s", s.to(e.To), typeNames[what.Type], what.From.Name)}
	case device.Say:
		return []string{fmt.Sprintf("says %s to %s in %s, %d octets", typeNames[what.Type], s.deviceName(what.To), s.spaceName(what.Space), len(what.Body))}
	case device.Enter:
		return []string{"link: enter " + s.spaceName(what.Space)}
	case device.Quit:
		return []string{"link: quit " + s.spaceName(what.Space)}
	case device.CircleIs:
		names := ""
		for _, member := range what.Members {
			names += " " + member.Name
		}
		return []string{"link: the circle is" + names}
	case device.Offended:
		return []string{fmt.Sprintf("link: %s offended, %s", s.deviceName(what.Device), what.What)}
	case device.Joined:
		return []string{"home: joined " + s.spaceName(what.Space)}
	case device.OpenFolder:
		return []string{s.describeOpen(what)}
	case device.CloseFolder:
		return []string{"owner: close " + s.spaceName(what.Space)}
	}
	return s.describeWork(e)
}

func (s *stage) describeOpen(o device.OpenFolder) string {
	if s.names[o.Space] == "" {
		s.names[o.Space] = fmt.Sprintf("%s-%d", o.Label, len(s.names))
	}
	if o.Scout {
		return fmt.Sprintf("owner: scout for %s, space %s", o.Label, s.spaceName(o.Space))
	}
	line := fmt.Sprintf("owner: open %s at %s, space %s", o.Label, o.Dir, s.spaceName(o.Space))
	if o.Founding != nil {
		line += ", founded here"
	}
	if !o.Cache.IsZero() {
		line += ", hashes of " + s.spaceName(o.Cache)
	}
	return line
}

// describeWork tells of the fetching and of the disk.
func (s *stage) describeWork(e device.Effect) []string {
	switch what := e.What.(type) {
	case device.Fetch:
		return []string{fmt.Sprintf("link: fetch %d items of %s first, priority %d", len(what.Items), s.deviceName(what.From), what.Prio)}
	case device.Had:
		return []string{fmt.Sprintf("link: %s had all that is known of %d writers", s.deviceName(what.Device), len(what.Heads))}
	case device.Unfetch:
		return []string{fmt.Sprintf("link: unfetch %d contents", len(what.Contents))}
	case device.Unfetched:
		return []string{fmt.Sprintf("%snobody has %d items", s.to(e.To), len(what.Items))}
	case device.Serve:
		return []string{fmt.Sprintf("%sserve %d reads of %s", s.to(e.To), len(what.Reads), s.deviceName(what.Peer))}
	case device.Supply:
		return []string{fmt.Sprintf("link: supply %d parts, first code %d", len(what.Parts), what.Parts[0].Code)}
	case device.ReadSpans:
		return []string{fmt.Sprintf("disk: read %s", what.Parts[0].Span)}
	case device.StagePieces:
		return []string{fmt.Sprintf("disk: stage %d pieces, cost %d", len(what.Pieces), what.Cost)}
	case device.ListDir:
		return []string{fmt.Sprintf("disk: list %q", what.Path)}
	case device.HashFiles:
		names := ""
		for _, job := range what.Jobs {
			names += " " + string(job.Path)
		}
		return []string{"disk: hash" + names}
	case device.CopyContent:
		return []string{fmt.Sprintf("disk: copy %s", what.From)}
	case device.FlushStaged:
		return []string{"disk: flush"}
	case device.UnstageFiles:
		return []string{fmt.Sprintf("disk: unstage %d", len(what.Contents))}
	case device.ApplyBatch:
		return describeBatch(what)
	case device.LookAgain:
		return []string{fmt.Sprintf("disk: look again at %d", len(what.Files))}
	case device.ForgetRead:
		return []string{"disk: forget what was read"}
	case device.PruneVersions:
		return []string{fmt.Sprintf("disk: prune versions below %d", what.Before)}
	}
	return []string{fmt.Sprintf("%T", e.What)}
}

var opNames = []string{"?", "mkdir", "place", "symlink", "rename", "remove", "rmdir", "attr"}

func describeBatch(b device.ApplyBatch) (lines []string) {
	again := ""
	if b.Redo {
		again = " again"
	}
	for _, c := range b.Changes {
		line := fmt.Sprintf("disk: %s%s %s", opNames[c.Op], again, c.Path)
		if c.From != "" {
			line += " from " + string(c.From)
		}
		if c.Op == store.OpPlace && c.Old != nil {
			line += " over what is there"
		}
		lines = append(lines, line)
	}
	return lines
}

func (s *stage) describeOrders(part device.Part, o device.NetOrders) (lines []string) {
	port := "mailbox"
	if part == device.Transfer {
		port = "transfer"
	}
	for _, dial := range o.Dial {
		lines = append(lines, fmt.Sprintf("%s: dial %s as %d", port, dial.Endpoint, dial.Conn))
	}
	for _, send := range o.Send {
		lines = append(lines, fmt.Sprintf("%s: %d %s", port, send.Conn, s.describeFrames(part, send.Frames)))
	}
	for _, conn := range o.Hangup {
		lines = append(lines, fmt.Sprintf("%s: hang up %d", port, conn))
	}
	return lines
}

var commandNames = []string{"?", "HELLO", "WHISPER", "SHOUT", "JOIN", "LEAVE", "PING", "PING-OK", "ELECT", "LEADER", "GOODBYE"}

func (s *stage) describeFrames(part device.Part, frames [][]byte) string {
	if part == device.Transfer {
		command, err := filemq.Decode(frames[0])
		if err != nil {
			return err.Error()
		}
		return strings.ToUpper(strings.TrimPrefix(fmt.Sprintf("%T", command), "filemq."))
	}
	command, err := zre.ParseCommand(frames)
	if err != nil {
		return err.Error()
	}
	line := fmt.Sprintf("%s %d", commandNames[command.ID], command.Sequence)
	if len(command.Content) > 0 && len(command.Content[0]) > 1 {
		line += " " + typeNames[command.Content[0][1]]
	}
	return line
}

// to names the machine that something is for.
func (s *stage) to(to device.Address) string {
	switch to.Part {
	case device.Home:
		return "home: "
	case device.Folder:
		return s.spaceName(to.Space) + ": "
	}
	return "link: "
}

func (s *stage) spaceName(id zsync.SpaceID) string {
	if name := s.names[id]; name != "" {
		return name
	}
	return id.String()[:6]
}

func (s *stage) deviceName(id zsync.DeviceID) string {
	for _, a := range s.order {
		if a.keys.Device() == id {
			return a.name
		}
	}
	return "all"
}

func (s *stage) keyNames(keys []zsync.Key) string {
	names := []string{}
	for _, a := range s.order {
		for _, key := range keys {
			if a.keys.Key() == key {
				names = append(names, a.name)
			}
		}
	}
	return fmt.Sprint(names)
}

// status tells what a link knows.
func (s *stage) status(a *actor) {
	st := a.link.Status()
	for _, p := range st.Peers {
		s.say(a, "  ** peer %s, link %v, answers in %v, session open %t, silent %t", p.Name, p.Link, p.RoundTrip, p.Open, p.Evasive)
	}
	for _, attempt := range st.Attempts {
		s.say(a, "  ** attempt of %s, %d times: %s", s.keyNames([]zsync.Key{attempt.Key}), attempt.Count, attempt.Why)
	}
	s.say(a, "  ** ignored %d, queued %d", st.Ignored, st.Queued)
}

// folderStatus tells what a folder's machine knows of itself and the others, and
// what its disk holds.
func (s *stage) folderStatus(a *actor, f *copyOf) {
	st, err := f.machine.Status()
	must(s.t, err)
	s.say(a, "  ** %s, %d files, %d octets, lacks %d", st.State, st.Replica.Files, st.Replica.Bytes, st.Replica.NeedFiles)
	for _, d := range st.Devices {
		state := d.State
		if d.Was != "" {
			state += " and was " + d.Was
		}
		s.say(a, "  ** %s is %s, linked %t, lacks %d", d.Name, state, d.Linked, d.NeedFiles)
	}
	for _, p := range st.Missing {
		s.say(a, "  ** %s %s: %s", p.Code, p.Path, p.Why)
	}
	user := f.disk.User()
	for _, path := range user.Paths("") {
		if path != zsync.PrivateDir && !strings.HasPrefix(path, zsync.PrivateDir+"/") {
			s.say(a, "  ** on disk: %s %q", path, user.Read(path))
		}
	}
}
