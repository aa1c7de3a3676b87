package zre

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// seen is what an application made of one peer's events.
type seen struct {
	entered bool
	groups  map[string]bool
}

// TestNodesFindOneAnotherAgainAfterAnything lets everything go wrong for a
// while: messages lost, connections broken or dead without a word, dials
// refused, nodes started anew. Then the network heals, and soon every pair is
// ready, has the right groups, was told of properly, and says no more HELLO.
func TestNodesFindOneAnotherAgainAfterAnything(t *testing.T) {
	for name, options := range map[string][][]string{
		"duplex":             {{}, {}, {}},
		"simplex":            {{"plain", "simplex"}, {"plain", "simplex"}, {"plain", "simplex"}},
		"duplex in the open": {{"plain"}, {"plain"}, {"plain"}},
		"mixed":              {{}, {"simplex"}, {}},
		"unnamed":            {{"unnamed"}, {}, {"unnamed"}},
	} {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(r *rapid.T) { survive(r, options) })
		})
	}
}

// TestZyreBearsUs is the same with a C Zyre among the nodes, whom they know and
// who knows nobody: its model fails the test where Zyre would abort.
func TestZyreBearsUs(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		survive(r, [][]string{{"plain", "simplex"}, {"plain"}, {"plain", "zyre"}})
	})
}

func survive(r *rapid.T, options [][]string) {
	w := newWorld(r)
	defer func() {
		if r.Failed() {
			r.Logf("%s", w.log.String())
		}
	}()
	var names []string
	for i, option := range options {
		names = append(names, string(rune('A'+i)))
		w.start(names[i], option...)
	}
	// Whom each requires: at least the next one, so that they can all meet.
	for i, name := range names {
		for j, other := range names {
			wanted := j == (i+1)%len(names) || j == len(names)-1 || rapid.Bool().Draw(r, "requires")
			if wanted && i != j && !w.station(name).zyre {
				w.obey([]string{"require", name, other})
			}
		}
	}
	for range rapid.IntRange(0, 30).Draw(r, "mishaps") {
		w.mishap(r, names, options)
	}
	clear(w.blocked)
	clear(w.lose)
	w.run(150 * time.Second)
	before := w.hellos()
	w.run(60 * time.Second)
	if after := w.hellos(); after != before {
		w.fail(r, "%d HELLOs long after the network healed", after-before)
	}
	for _, s := range w.stations {
		w.checkPeers(r, s)
	}
}

func (w *world) mishap(r *rapid.T, names []string, options [][]string) {
	i := rapid.IntRange(0, len(names)-1).Draw(r, "who")
	a := names[i]
	b := names[(i+rapid.IntRange(1, len(names)-1).Draw(r, "other"))%len(names)]
	verb := rapid.SampledFrom([]string{
		"join", "leave", "shout", "whisper", "lose", "lose", "cut", "freeze", "block", "unblock", "restart", "vanish", "run", "run",
	}).Draw(r, "verb")
	switch verb {
	case "join", "leave":
		w.obey([]string{verb, a, rapid.SampledFrom([]string{"x", "y", "z"}).Draw(r, "group")})
	case "shout":
		w.obey([]string{verb, a, "x", "hi"})
	case "whisper":
		w.obey([]string{verb, a, b, "hi"})
	case "restart", "vanish":
		if w.station(a).zyre {
			return
		}
		w.kill(w.station(a), verb == "vanish")
		w.restart(w.station(a), options[i]...)
		for _, other := range names {
			if other != a {
				w.obey([]string{"require", a, other})
			}
		}
	case "run":
		wait := []time.Duration{latency, 3 * latency, 100 * time.Millisecond, 1500 * time.Millisecond, 7 * time.Second, 40 * time.Second}
		w.run(rapid.SampledFrom(wait).Draw(r, "time"))
	default:
		w.obey([]string{verb, a, b})
	}
}

func (w *world) hellos() (sum uint64) {
	for _, s := range w.stations {
		if node, ok := s.actor.(*Node); ok {
			sum += node.Counters().Hellos
		}
	}
	return sum
}

// checkPeers compares what a node says of its peers, and what it told the
// application, with the truth.
func (w *world) checkPeers(r *rapid.T, s *station) {
	node, ok := s.actor.(*Node)
	if !ok {
		w.checkZyre(r, s)
		return
	}
	told := w.told[s.name]
	for _, o := range w.stations {
		if o == s {
			continue
		}
		at := slices.IndexFunc(node.Peers(), func(p Peer) bool { return p.UUID == o.uuid() })
		if at < 0 || node.Peers()[at].State != Ready {
			w.fail(r, "%s is not ready for %s: %+v", o.name, s.name, node.Peers())
		}
		truth := w.groups(o)
		if got := node.Peers()[at].Groups; !slices.Equal(got, truth) {
			w.fail(r, "%s has %s in %v, it is in %v", s.name, o.name, got, truth)
		}
		if got := slices.Sorted(maps.Keys(told[o.uuid()].groups)); !slices.Equal(got, truth) {
			w.fail(r, "%s was told that %s is in %v, it is in %v", s.name, o.name, got, truth)
		}
	}
	if len(node.links) > len(w.stations)*linksPerPeer || len(node.peers) != len(w.stations)-1 {
		w.fail(r, "%s keeps %d connections, %d peers", s.name, len(node.links), len(node.peers))
	}
}

// checkZyre compares what a Zyre knows of its peers with the truth.
func (w *world) checkZyre(r *rapid.T, s *station) {
	z := s.actor.(*zyre)
	for _, o := range w.stations {
		if p := z.peer(o.uuid()); o != s && (p == nil || !p.ready || !slices.Equal(slices.Sorted(slices.Values(p.groups)), w.groups(o))) {
			w.fail(r, "Zyre has %s as %+v, it is in %v", o.name, p, w.groups(o))
		}
	}
}

func (w *world) groups(s *station) []string {
	if node, ok := s.actor.(*Node); ok {
		return node.groups
	}
	return slices.Compact(slices.Sorted(slices.Values(s.actor.(*zyre).groups)))
}

// witness checks that an event makes sense to an application.
func (w *world) witness(s *station, e Event) {
	if w.told[s.name] == nil {
		w.told[s.name] = map[UUID]*seen{}
	}
	p := w.told[s.name][e.Peer]
	if p == nil {
		p = &seen{groups: map[string]bool{}}
		w.told[s.name][e.Peer] = p
	}
	if p.entered == (e.Kind == Enter) || (e.Kind == Join || e.Kind == Leave) && p.groups[e.Group] == (e.Kind == Join) {
		w.t.Fatalf("%s: %s of %s %s makes no sense\n%s", s.name, e.Kind, peerName(e.Peer), e.Group, w.log.String())
	}
	switch e.Kind {
	case Enter:
		p.entered = true
	case Exit:
		*p = seen{groups: map[string]bool{}}
	case Join:
		p.groups[e.Group] = true
	case Leave:
		delete(p.groups, e.Group)
	}
}

func (w *world) fail(r *rapid.T, format string, args ...any) {
	r.Fatalf(format+"\n%s", append(args, w.log.String())...)
}

// TestManyNodesMeetWithFewHellos: all hear one another's beacons at once.
func TestManyNodesMeetWithFewHellos(t *testing.T) {
	const nodes = 26
	w := newWorld(t)
	for i := range nodes {
		s := w.start(string(rune('A' + i)))
		s.actor.Join(w.now, "all")
	}
	for _, s := range w.stations {
		for _, o := range w.stations {
			w.obey([]string{"sight", s.name, o.name})
		}
	}
	w.run(15 * time.Second)
	for _, s := range w.stations {
		node := s.actor.(*Node)
		ready := 0
		for _, p := range node.Peers() {
			if p.State == Ready && slices.Equal(p.Groups, []string{"all"}) {
				ready++
			}
		}
		if ready != nodes-1 || len(node.links) != nodes-1 {
			t.Errorf("%s has %d ready peers and %d connections", s.name, ready, len(node.links))
		}
	}
	if said := w.hellos(); said > 2*nodes*(nodes-1) {
		t.Errorf("%d HELLOs for %d pairs", said, nodes*(nodes-1)/2)
	}
}
