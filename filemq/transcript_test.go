package filemq

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the transcripts anew")

// The scripts in testdata/transcripts are conversations of two sessions, a (who
// dialled) and b. A line that begins with '>' is what happens, the lines below
// it are what the sessions make of it. Each script is run twice: a machine that
// depended on anything but its inputs would not say the same again.
func TestTranscripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/transcripts/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no transcripts", err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, again := perform(t, want), perform(t, want)
			if !bytes.Equal(got, again) {
				t.Errorf("the second run differs (-first +second):\n%s", cmp.Diff(string(got), string(again)))
			}
			if *update {
				if err := os.WriteFile(path, got, 0o644); err != nil {
					t.Fatal(err)
				}
			} else if diff := cmp.Diff(string(want), string(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// scene is where a script is performed.
type scene struct {
	t     *testing.T
	now   time.Time
	text  bytes.Buffer
	ends  map[string]*Session
	wires map[string][][]byte // sent by an end and not delivered
	reads map[string][]Read
	got   map[string][]Got
	cut   bool // the connection: frames get lost
}

func perform(t *testing.T, script []byte) []byte {
	p := &scene{t: t, now: time.Unix(1000, 0)}
	for line := range strings.Lines(string(script)) {
		order, happens := strings.CutPrefix(line, ">")
		if happens {
			p.text.WriteString(line)
			p.play(strings.Fields(order))
		} else if strings.HasPrefix(line, "#") || line == "\n" {
			p.text.WriteString(line)
		}
	}
	return p.text.Bytes()
}

// play does what a line says: an order to the scene, or to one end of it.
func (p *scene) play(words []string) {
	switch words[0] {
	case "open":
		p.open(words[1:])
	case "connect":
		p.connect(words[1:])
	case "deliver":
		p.deliver()
	case "cut":
		p.cut = true
	case "wait":
		p.wait(words[1])
	default:
		p.act(words[0], words[1], words[2:])
	}
	p.tell()
}

func (p *scene) act(verb, who string, arguments []string) {
	s := p.ends[who]
	switch verb {
	case "request":
		p.request(s, arguments)
	case "cancel":
		s.Cancel(p.now, uint32(p.number(arguments[0])))
	case "bump":
		s.Bump(p.now, uint32(p.number(arguments[0])), uint8(p.number(arguments[1])))
	case "supply":
		p.answer(who, p.count(arguments, len(p.reads[who])), func(read Read) {
			s.Supplied(p.now, read.Req, read.Index, data(read.Offset, int(read.Size)))
		})
	case "shrink":
		p.answer(who, 1, func(read Read) { s.Supplied(p.now, read.Req, read.Index, nil) })
	case "refuse":
		code := Code(p.number(arguments[0]))
		p.answer(who, 1, func(read Read) { s.Refused(p.now, read.Req, read.Index, code) })
	case "dispose":
		for _, got := range p.got[who] {
			s.Disposed(p.now, got.Cost)
		}
		p.got[who] = nil
	case "bad":
		s.BadItem(p.now)
	case "close":
		s.Close(p.now, strings.Join(arguments, " "))
	case "inject":
		p.inject(s, strings.Join(arguments, ""))
	default:
		p.t.Fatalf("no such order: %q", verb)
	}
}

// open takes settings such as window=2097280, the same for both ends.
func (p *scene) open(settings []string) {
	var cfg Config
	for _, setting := range settings {
		key, value, _ := strings.Cut(setting, "=")
		switch key {
		case "window":
			cfg.Window = int64(p.number(value))
		case "window-max":
			cfg.WindowMax = int64(p.number(value))
		case "queue":
			cfg.QueueMax = p.number(value)
		}
	}
	p.ends = map[string]*Session{"a": NewSession(p.now, cfg, true), "b": NewSession(p.now, cfg, false)}
	p.wires, p.reads, p.got = make(map[string][][]byte), make(map[string][]Read), make(map[string][]Got)
	p.cut = false
}

// connect is an open and a deliver of which nothing is told.
func (p *scene) connect(settings []string) {
	told := p.text.Len()
	p.open(settings)
	p.tell()
	p.deliver()
	p.text.Truncate(told)
}

func (p *scene) inject(s *Session, digits string) {
	frame, err := hex.DecodeString(digits)
	if err != nil {
		p.t.Fatal(err)
	}
	s.Received(p.now, frame)
}

// request takes COUNTxSIZE, and PRIO.
func (p *scene) request(s *Session, arguments []string) {
	count, size, _ := strings.Cut(arguments[0], "x")
	q := Request{Space: testSpace, Items: items(0, p.number(count), p.number(size))}
	q.Prio = uint8(p.number(arguments[1]))
	if _, ok := s.Request(p.now, q); !ok {
		fmt.Fprintf(&p.text, "no: room for %d\n", s.Room())
	}
}

func (p *scene) answer(who string, count int, act func(Read)) {
	for _, read := range p.reads[who][:count] {
		act(read)
	}
	p.reads[who] = p.reads[who][count:]
}

// deliver lets frames travel until none is left.
func (p *scene) deliver() {
	for len(p.wires["a"])+len(p.wires["b"]) > 0 {
		p.carry("a", "b")
		p.carry("b", "a")
	}
}

func (p *scene) carry(from, to string) {
	frames := p.wires[from]
	p.wires[from] = nil
	for _, frame := range frames {
		if !p.cut {
			p.ends[to].Received(p.now, frame)
			p.tell()
		}
	}
}

// wait lets time pass, every deadline in it, and what is sent then.
func (p *scene) wait(duration string) {
	d, err := time.ParseDuration(duration)
	if err != nil {
		p.t.Fatal(err)
	}
	end := p.now.Add(d)
	for {
		p.deliver()
		next := p.ends["a"]
		if other := p.ends["b"]; next.Deadline().IsZero() || !other.Deadline().IsZero() && other.Deadline().Before(next.Deadline()) {
			next = other
		}
		if next.Deadline().IsZero() || next.Deadline().After(end) {
			break
		}
		p.now = next.Deadline()
		next.Advance(p.now)
		p.tell()
	}
	p.now = end
}

// tell writes what the sessions want.
func (p *scene) tell() {
	for _, who := range []string{"a", "b"} {
		out := p.ends[who].Output()
		checkSession(p.t, p.ends[who])
		for _, frame := range out.Send {
			p.say(who, "sends "+describe(p.t, frame))
		}
		for _, run := range runs(len(out.Reads), func(i int) (uint32, uint16, string) {
			return out.Reads[i].Req, out.Reads[i].Index, fmt.Sprint(out.Reads[i].Size, " octets")
		}) {
			p.say(who, "reads "+run)
		}
		for _, run := range runs(len(out.Got), func(i int) (uint32, uint16, string) {
			got := out.Got[i]
			return got.Req, got.Index, fmt.Sprintf("%d octets for %d", len(got.Data), got.Cost)
		}) {
			p.say(who, "got "+run)
		}
		for _, run := range runs(len(out.Missing), func(i int) (uint32, uint16, string) {
			return out.Missing[i].Req, out.Missing[i].Index, fmt.Sprintf("code %d", out.Missing[i].Code)
		}) {
			p.say(who, "misses "+run)
		}
		if out.Opened {
			p.say(who, "is open")
		}
		if out.Closed != "" {
			p.say(who, "is closed: "+out.Closed)
			p.reads[who] = nil
		}
		p.wires[who] = append(p.wires[who], out.Send...)
		p.reads[who] = append(p.reads[who], out.Reads...)
		p.got[who] = append(p.got[who], out.Got...)
	}
}

func (p *scene) say(who, what string) {
	fmt.Fprintf(&p.text, "%v %s %s\n", p.now.Sub(time.Unix(1000, 0)), who, what)
}

func (p *scene) number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		p.t.Fatal(err)
	}
	return n
}

func (p *scene) count(arguments []string, all int) int {
	if len(arguments) == 0 {
		return all
	}
	return p.number(arguments[0])
}
