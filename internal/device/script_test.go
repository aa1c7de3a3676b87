package device_test

import (
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/store/crashfs"
	"github.com/zsync/zsync/zre"
)

func TestTranscripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	update := flag.Lookup("update").Value.String() == "true"
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(script)
			must(t, err)
			got, octets := play(t, string(want))
			again, octetsAgain := play(t, string(want))
			if again != got || octets != octetsAgain {
				t.Fatalf("it went otherwise the second time:\n%s", cmp.Diff(got, again))
			}
			if update {
				must(t, os.WriteFile(script, []byte(got), 0o600))
			} else if got != string(want) {
				t.Errorf("it went otherwise (-want +got), -update accepts it:\n%s", cmp.Diff(string(want), got))
			}
		})
	}
}

// obey carries out one order of a script.
func (s *stage) obey(words []string) {
	verb, args := words[0], words[1:]
	if verb == "run" {
		d, err := time.ParseDuration(args[0])
		must(s.t, err)
		s.run(d)
		return
	}
	a, args := s.actor(args[0]), args[1:]
	orders := map[string]func(*actor, []string){
		"start": s.start, "link": s.setLink, "home": s.setHome, "folder": s.setFolder, "user": s.user,
	}
	do := orders[verb]
	if do == nil {
		s.t.Fatalf("no order %q", verb)
	}
	do(a, args)
}

// start makes a machine of a device: link, with those it knows; home; or a folder,
// founded or (with the name of another device) that device's.
func (s *stage) start(a *actor, args []string) {
	switch args[0] {
	case "link":
		for _, name := range args[1:] {
			must(s.t, a.trust.Enrol(s.now, s.actor(name).cert))
		}
		var effects []device.Effect
		a.link, effects = device.NewLinkMachine(s.now, device.LinkConfig{
			Keys: a.keys, Certificate: a.cert, UUID: zre.UUID{byte(a.number)}, Name: a.name,
			Endpoint: "tcp://" + a.host() + ":7001", TransferPort: 7002, Trust: a.trust,
		})
		s.carry(a, device.Address{Part: device.Link}, effects)
	case "home":
		var effects []device.Effect
		var err error
		a.home, effects, err = device.OpenHomeMachine(s.now, a.homeDB, device.HomeConfig{Keys: a.keys, Cert: a.cert, Seed: [32]byte{byte(a.number)}})
		must(s.t, err)
		s.carry(a, device.Address{Part: device.Home}, effects)
	case "folder":
		s.startFolder(a, args[1])
	}
}

// startFolder opens a folder on a device: again, or for the first time. The
// device that is first founds it.
func (s *stage) startFolder(a *actor, label string) {
	space := s.space(label)
	f := a.folders[space]
	if f == nil {
		f = &copyOf{reg: device.Registration{Label: device.Label(label), Dir: label, Role: "sync", Space: space}, db: kv.NewMemory(), disk: crashfs.New(uint64(a.number))}
		f.db.Commit = a.commit
		if s.actors["founder of "+label] == nil {
			f.reg = s.found(a, label)
			s.actors["founder of "+label] = a
		}
	} else {
		must(s.t, f.root.Close())
	}
	f.disk.Advance(s.now.Sub(begin))
	var err error
	f.root, err = store.Open(f.disk, store.Options{})
	must(s.t, err)
	staged, err := f.root.Staged()
	must(s.t, err)
	var effects []device.Effect
	f.machine, effects, err = device.OpenFolderMachine(s.now, f.db, device.FolderConfig{
		Registration: f.reg, Keys: a.keys, Cert: a.cert, Seed: [32]byte{byte(a.number), 1}, Staged: staged,
	})
	must(s.t, err)
	a.folders[f.reg.Space] = f
	s.carry(a, device.Address{Part: device.Folder, Space: f.reg.Space}, effects)
}

// found has a home of the device conceive a folder, and gives the space its name.
func (s *stage) found(a *actor, label string) (reg device.Registration) {
	home, _, err := device.OpenHomeMachine(s.now, kv.NewMemory(), device.HomeConfig{Keys: a.keys, Cert: a.cert, Seed: [32]byte{byte(a.number), 2}})
	must(s.t, err)
	effects, err := home.Handle(s.now, []any{device.Watch{Registration: device.Registration{Label: device.Label(label), Dir: label, Role: "sync"}}})
	must(s.t, err)
	for _, e := range effects {
		if open, ok := e.What.(device.OpenFolder); ok {
			reg = open.Registration
		}
	}
	s.rename(label, reg.Space)
	return reg
}

// rename gives a name in the script to another space.
func (s *stage) rename(name string, space zsync.SpaceID) {
	for id, known := range s.names {
		if known == name {
			delete(s.names, id)
		}
	}
	s.names[space] = name
}

// setLink gives a device's link an input.
func (s *stage) setLink(a *actor, args []string) {
	at := device.Address{Part: device.Link}
	rest := args[1:]
	switch args[0] {
	case "pair":
		b := s.actor(rest[0])
		address := ""
		if len(rest) > 1 {
			address = s.actor(rest[1]).host() + ":7001"
		}
		s.turn(a, at, device.Pair{Key: b.keys.Key(), Address: address})
	case "peer":
		s.turn(a, at, device.Peer{Address: s.actor(rest[0]).host() + ":7001"})
	case "revoke":
		must(s.t, a.trust.Revoke(s.now, s.actor(rest[0]).keys.Key()))
		s.turn(a, at)
	case "enter":
		s.turn(a, at, device.Enter{Space: s.space(rest[0])})
	case "quit":
		s.turn(a, at, device.Quit{Space: s.space(rest[0])})
	case "say":
		say := device.Say{Space: s.space(rest[0]), Type: 1, Body: bodyOf(s.space(rest[0]))}
		if rest[1] == "want" {
			say.Type = 8
		}
		if len(rest) > 2 {
			say.To = s.actor(rest[2]).keys.Device()
		}
		s.turn(a, at, say)
	case "circle":
		is := device.CircleIs{Space: s.space("circle")}
		for _, name := range rest {
			is.Members = append(is.Members, s.actor(name).cert)
		}
		s.turn(a, at, is)
	case "has":
		for _, text := range rest {
			a.has[store.ContentOf([]byte(text))] = text
		}
	case "fetch":
		q := device.Fetch{Space: s.space(rest[0]), From: s.actor(rest[1]).keys.Device(), Prio: 2, Total: zsync.ContentChunkMax}
		for _, text := range rest[2:] {
			q.Items = append(q.Items, device.Item{Hash: store.ContentOf([]byte(text)), Size: uint32(len(text))})
		}
		s.turn(a, at, q)
	case "loses":
		port, err := strconv.Atoi(rest[0])
		must(s.t, err)
		for _, conn := range sortedConns(a.conns[port]) {
			s.hangUp(a, port, conn)
			s.fact(a, port, device.NetFact{Kind: device.NetClosed, Conn: conn})
		}
	case "knock":
		s.turn(a, at, device.Knocked{Key: s.actor(rest[0]).keys.Key(), Address: "10.9.9.9"})
	case "stop":
		s.turn(a, at, device.Stop{})
	case "status":
		s.status(a)
	default:
		s.t.Fatalf("no order link %q", args[0])
	}
}

// bodyOf is the shortest body that names a space.
func bodyOf(space zsync.SpaceID) []byte { return append([]byte{0xa1, 1, 0x50}, space[:]...) }

// setHome gives a device's home an input.
func (s *stage) setHome(a *actor, args []string) {
	at := device.Address{Part: device.Home}
	rest := args[1:]
	switch args[0] {
	case "watch":
		s.turn(a, at, device.Watch{Registration: device.Registration{Label: device.Label(rest[0]), Dir: rest[1], Role: "sync"}})
	case "unwatch":
		s.turn(a, at, device.Unwatch{Label: device.Label(rest[0])})
	case "serve":
		s.turn(a, at, device.ServeAll{Dir: rest[0]})
	case "joined":
		s.turn(a, at, device.Joined{Space: s.space(rest[0])})
	case "met":
		steps := map[string]security.Step{
			"found": security.StepFound, "await": security.StepAwait, "invite": security.StepInvite,
			"join": security.StepJoin, "settled": security.StepSettled,
		}
		met := security.Met{Cert: s.actor(rest[0]).cert, Next: steps[rest[1]]}
		if rest[1] == "join" || rest[1] == "settled" {
			met.Circle = s.space("circle")
		}
		s.turn(a, at, met)
	case "linked":
		s.link(a, at, rest[0], true)
	case "unlinked":
		s.link(a, at, rest[0], false)
	case "trust":
		s.turn(a, at, device.SaveTrust{Text: []byte("whom it trusts\n")})
	case "refuses":
		a.refuses = rest[0] == "yes"
	default:
		s.t.Fatalf("no order home %q", args[0])
	}
}

// setFolder gives a folder an input.
func (s *stage) setFolder(a *actor, args []string) {
	at := device.Address{Part: device.Folder, Space: s.space(args[0])}
	rest := args[2:]
	switch args[1] {
	case "linked":
		s.link(a, at, rest[0], true)
	case "unlinked":
		s.link(a, at, rest[0], false)
	case "ask":
		s.turn(a, at, device.AskProgress{})
	case "serve":
		content := store.ContentOf([]byte(rest[1]))
		s.turn(a, at, device.Serve{Session: 7, Peer: s.actor(rest[0]).keys.Device(), Reads: []device.ReadPart{{Hash: content, Size: uint32(len(rest[1]))}}})
	case "refuses":
		a.refuses = rest[0] == "yes"
	case "status":
		s.folderStatus(a, a.folders[at.Space])
	case "clocks":
		st, err := a.folders[at.Space].machine.Status()
		must(s.t, err)
		for _, d := range st.Devices {
			s.say(a, "  ** the clock of %s is %v ahead", d.Name, d.Clock)
		}
	default:
		s.t.Fatalf("no order folder %q", args[1])
	}
}

// user does something with the files of a device's folder, and its watch tells.
func (s *stage) user(a *actor, args []string) {
	at := device.Address{Part: device.Folder, Space: s.space(args[0])}
	f := a.folders[at.Space]
	f.disk.Advance(time.Minute)
	user, path := f.disk.User(), args[2]
	switch args[1] {
	case "writes":
		user.Write(path, []byte(args[3]))
	case "removes":
		user.Remove(path)
	case "loses": // and no watch tells of it
		user.Remove(path)
		return
	case "renames":
		user.Rename(path, args[3])
	default:
		s.t.Fatalf("no user %q", args[1])
	}
	user.Settle()
	f.disk.Advance(time.Minute) // nothing is young in a script
	s.turn(a, at, device.Hinted{Dirs: []zsync.Path{""}})
}
