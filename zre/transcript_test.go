package zre

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "rewrite the transcripts in testdata from what happens now")

// TestTranscripts plays the scripts in testdata: lines that begin with "> " are
// orders, and what follows each is what comes of it. Every script is played
// twice, since a machine that is deterministic says the same again.
func TestTranscripts(t *testing.T) {
	scripts, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, script := range scripts {
		t.Run(strings.TrimSuffix(filepath.Base(script), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(script)
			if err != nil {
				t.Fatal(err)
			}
			got := play(t, string(want))
			if again := play(t, string(want)); again != got {
				t.Fatalf("it went otherwise the second time:\n%s", cmp.Diff(got, again))
			}
			if *update {
				if err := os.WriteFile(script, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if got != string(want) {
				t.Errorf("it went otherwise (-want +got), -update accepts it:\n%s", cmp.Diff(string(want), got))
			}
		})
	}
}

// play carries out the orders of a script and returns it with its consequences.
func play(t *testing.T, script string) string {
	w := newWorld(t)
	w.quiet = true
	for line := range strings.Lines(script) {
		line = strings.TrimRight(line, "\n")
		order, isOrder := strings.CutPrefix(line, "> ")
		switch {
		case isOrder:
			w.log.WriteString(line + "\n")
			w.obey(strings.Fields(order))
			w.flush()
		case strings.HasPrefix(line, "#") || line == "":
			w.log.WriteString(line + "\n")
		}
	}
	return w.log.String()
}

// obey carries out one order of a script.
func (w *world) obey(words []string) {
	verb, words := words[0], words[1:]
	switch verb {
	case "run":
		d, err := time.ParseDuration(words[0])
		if err != nil {
			w.t.Fatalf("%v", err)
		}
		w.run(d)
	case "pings":
		w.quiet = words[0] == "off"
	case "start":
		w.start(words[0], words[1:]...)
	case "block", "unblock":
		w.blocked[words[0]+words[1]] = verb == "block"
	case "hang", "unhang":
		w.hangs[words[0]+words[1]] = verb == "hang"
	case "lose":
		w.lose[words[0]+words[1]]++
	case "cut", "freeze":
		w.sever(w.station(words[0]), w.station(words[1]), verb == "freeze")
	case "peers":
		w.listPeers(w.station(words[0]))
	default:
		w.obeyAt(verb, w.station(words[0]), words[1:])
	}
}

// obeyAt carries out an order for one station.
func (w *world) obeyAt(verb string, s *station, words []string) {
	node, _ := s.actor.(*Node)
	other := func() *station { return w.station(words[0]) }
	switch verb {
	case "require":
		s.actor.Require(w.now, other().endpoint(), other().key())
	case "require-anew":
		node.RequireAnew(w.now, other().endpoint(), other().key())
	case "retry":
		node.Retry(w.now)
	case "wake":
		node.Woke(w.now)
	case "forget":
		node.Forget(w.now, other().endpoint())
	case "drop":
		node.Drop(w.now, other().key())
	case "confine":
		node.Confine(w.now, other().key())
	case "admit":
		node.Admit(w.now, other().key())
	case "sight":
		node.Sighted(w.now, Beacon{UUID: other().uuid(), Key: other().key(), Port: 7000}, other().address)
	case "sight-leaving":
		node.Sighted(w.now, Beacon{UUID: other().uuid(), Key: other().key()}, other().address)
	case "join":
		s.actor.Join(w.now, words[0])
	case "leave":
		s.actor.Leave(w.now, words[0])
	case "whisper":
		if !s.actor.Whisper(w.now, other().uuid(), []byte(words[1])) {
			w.logf(s, "cannot whisper to %s", words[0])
		}
	case "shout":
		s.actor.Shout(w.now, words[0], []byte(words[1]))
	case "stop":
		s.actor.Stop(w.now)
		w.flush()
		w.after(2*latency, func() { w.kill(s, false) })
	case "kill", "vanish":
		w.kill(s, verb == "vanish")
	case "restart":
		w.restart(s, words...)
	default:
		w.t.Fatalf("no such order: %s", verb)
	}
}

// sever breaks every connection between two stations, or freezes it: then
// nothing arrives, and nobody is told.
func (w *world) sever(a, b *station, freeze bool) {
	for _, p := range append([]*pipe(nil), w.pipes...) {
		if p.from != a && p.from != b || p.to != a && p.to != b {
			continue
		}
		if p.frozen = p.frozen || freeze; !freeze {
			w.breakPipe(p)
		}
	}
}

func (w *world) listPeers(s *station) {
	for _, p := range s.actor.(*Node).Peers() {
		name := peerName(p.UUID)
		if p.UUID.IsZero() {
			name = "(unknown)"
		}
		w.logf(s, "has %s %s %s %v", name, p.State, p.Endpoint, p.Groups)
	}
}
