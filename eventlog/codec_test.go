package eventlog

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

var update = flag.Bool("update", false, "rewrite testdata/vectors.txt")

const vectorsFile = "testdata/vectors.txt"

// vectors are octets that no later version may write otherwise.
type vectors struct {
	names []string
	hex   map[string]string
}

func (v *vectors) add(name string, octets []byte) {
	v.names = append(v.names, name)
	v.hex[name] = hex.EncodeToString(octets)
}

// made builds every form of octets from fixed keys.
func made(t *testing.T) *vectors {
	v := &vectors{hex: make(map[string]string)}
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	edit := bob.write("an edit")
	ann.merge(bob.all()...)
	twin := bob.restored()
	left, right := bob.write("left"), twin.write("right")
	ann.merge(bob.envelope(left), twin.envelope(right))
	proof := ann.prove()[0]

	space := ann.log.Space()
	v.add("space id", space[:])
	v.add("endorsement text, founder", EndorsementText(zsync.SpaceID{}, ann.log.author.public(), [16]byte{0}))
	for i, e := range ann.events() {
		name := fmt.Sprintf("event %d, kind %d, ", i+1, e.Header.Kind)
		envelope := ann.envelope(e)
		v.add(name+"id", e.ID[:])
		v.add(name+"header", envelope.Header)
		v.add(name+"body", envelope.Body)
		v.add(name+"envelope", envelope.Encode())
	}
	frontier := ann.log.Frontier()
	v.add("frontier, bob's writer cut", frontier[:])
	var p ForkProof
	must(wire.Unmarshal(proof.Body, &p))

	x := NewExchange(ann.log, folk{}, ann.id.device())
	ann.do(func(tx kv.Tx) error {
		x.whisperVV(tx, &peer{}, true)
		return nil
	})
	v.add("message 1 HEADS", x.heads([][]byte{bob.envelope(edit).Encode()}))
	v.add("message 2 VV", x.out.Whisper[1].Body)
	v.add("message 3 PULL", wire.Marshal(pullBody{space, []span{{Writer: bob.log.own, From: 4, To: 9}}, eventsBytesMax}))
	v.add("message 4 EVENTS", wire.Marshal(eventsBody{space, [][]byte{bob.envelope(edit).Encode()}, true}))
	v.add("message 4 EVENTS, none", wire.Marshal(eventsBody{space, [][]byte{}, false}))
	v.add("message 5 FORK", wire.Marshal(forkBody{space, p}))
	v.add("message 6 NAK", EncodeNak(space, NakNoSpace))
	return v
}

func TestEncodingsAreThoseOfTheGoldenVectors(t *testing.T) {
	v := made(t)
	if *update {
		var out bytes.Buffer
		for _, name := range v.names {
			fmt.Fprintf(&out, "%s = %s\n", name, v.hex[name])
		}
		must(os.WriteFile(vectorsFile, out.Bytes(), 0o600))
	}
	golden := make(map[string]string)
	data, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if name, octets, found := strings.Cut(lines.Text(), " = "); found {
			golden[name] = octets
		}
	}
	if diff := cmp.Diff(golden, v.hex); diff != "" {
		t.Error(diff)
	}
}

func TestEnvelopesOfAllLengthsAreWrittenAsDeterministicCBOR(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 65535, 65536, BodyBytesMax} {
		e := Envelope{Header: bytes.Repeat([]byte{1}, min(n, HeaderBytesMax)), Sig: make([]byte, 64), Body: make([]byte, n)}
		if !bytes.Equal(e.Encode(), wire.Marshal(e)) {
			t.Errorf("body of %d octets is encoded otherwise than by the CBOR library", n)
		}
		again, err := DecodeEnvelope(e.Encode())
		if err != nil || !cmp.Equal(again, e) {
			t.Errorf("body of %d octets: %v", n, err)
		}
	}
	if _, err := DecodeEnvelope(Envelope{Sig: make([]byte, 64), Body: make([]byte, BodyBytesMax+1)}.Encode()); err == nil {
		t.Error("an overlong body was read")
	}
}

func TestHeadersThatBreakARuleAreRefused(t *testing.T) {
	r := space(t, "ann", "bob")[0]
	id := r.log.writers[0].Head.ID
	ref := func(w byte) zsync.Ref { return zsync.Ref{Writer: zsync.WriterID{w}, Seq: 1} }
	for name, change := range map[string]func(h *zsync.Header){
		"another version":            func(h *zsync.Header) { h.Version = 2 },
		"flags":                      func(h *zsync.Header) { h.Flags = 1 },
		"seq 0":                      func(h *zsync.Header) { h.Seq = 0 },
		"seq 1 with prev":            func(h *zsync.Header) { h.Seq = 1 },
		"no prev":                    func(h *zsync.Header) { h.Prev = nil },
		"lamport 0":                  func(h *zsync.Header) { h.Lamport = 0 },
		"lamport past the end":       func(h *zsync.Header) { h.Lamport = lamportEnd },
		"a dep on its own chain":     func(h *zsync.Header) { h.Deps = []zsync.Ref{{Writer: h.Writer, Seq: 1}} },
		"deps that descend":          func(h *zsync.Header) { h.Deps = []zsync.Ref{ref(2), ref(1)} },
		"deps that repeat":           func(h *zsync.Header) { h.Deps = []zsync.Ref{ref(1), ref(1)} },
		"a dep on seq 0":             func(h *zsync.Header) { h.Deps = []zsync.Ref{{Writer: zsync.WriterID{1}}} },
		"auth that repeats":          func(h *zsync.Header) { h.Auth = []zsync.EventID{id, id} },
		"too many auth":              func(h *zsync.Header) { h.Auth = make([]zsync.EventID, authMax+1) },
		"a second genesis":           func(h *zsync.Header) { h.Kind = zsync.KindGenesis },
		"writer_open later":          func(h *zsync.Header) { h.Kind = zsync.KindWriterOpen },
		"an opening of another kind": func(h *zsync.Header) { h.Seq, h.Prev = 1, nil },
		"membership without auth":    func(h *zsync.Header) { h.Kind = zsync.KindMember },
		"an opening without auth":    func(h *zsync.Header) { h.Seq, h.Prev, h.Kind = 1, nil, zsync.KindWriterOpen },
		"a genesis that has a past":  func(h *zsync.Header) { h.Seq, h.Prev, h.Kind, h.Lamport = 1, nil, zsync.KindGenesis, 2 },
		"a body longer than any":     func(h *zsync.Header) { h.BodyLen = BodyBytesMax + 1 },
		"another space":              func(h *zsync.Header) { h.Space[0]++ },
		"the hash of another body":   func(h *zsync.Header) { h.BodyHash[0]++ },
		"the length of another body": func(h *zsync.Header) { h.BodyLen++ },
		"a writer opened by a sealed": func(h *zsync.Header) {
			h.Seq, h.Prev, h.Kind, h.KeyEpoch, h.Auth = 1, nil, zsync.KindWriterOpen, 1, []zsync.EventID{id}
		},
	} {
		e := r.forge("body", func(*zsync.Header) {})
		h, err := parseHeader(e.Header)
		must(err)
		change(&h)
		e.Header = wire.Marshal(&h)
		if _, err := parse(e, r.log.Space()); err == nil {
			t.Errorf("an event with %s was read", name)
		}
	}
}

func TestFlippingAnyOctetOfAnEventMakesItBadOrAnother(t *testing.T) {
	all := space(t, "ann", "bob")
	ann, bob := all[0], all[1]
	encoded := ann.envelope(ann.write("text")).Encode()
	for i := range encoded {
		changed := bytes.Clone(encoded)
		changed[i] ^= 0x10
		e, err := DecodeEnvelope(changed)
		if err != nil {
			continue
		}
		if m := bob.merge(e); len(m.Fresh) > 0 || m.Bad == 0 && len(bob.log.parking.waiting) == 0 {
			t.Fatalf("octet %d changed: %d fresh, %d bad", i, len(m.Fresh), m.Bad)
		}
	}
}

// seeds adds all golden vectors to a fuzz target.
func seeds(f *testing.F) {
	data, err := os.ReadFile(vectorsFile)
	must(err)
	for line := range strings.Lines(string(data)) {
		_, text, _ := strings.Cut(strings.TrimSpace(line), " = ")
		octets, err := hex.DecodeString(text)
		must(err)
		f.Add(octets)
	}
}

func FuzzEnvelopeIsReadJustAsTheCBORLibraryDoes(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := DecodeEnvelope(data)
		var slow Envelope
		slowly := wire.Unmarshal(data, &slow) == nil && slow.Header != nil && slow.Body != nil && len(slow.Sig) == 64 &&
			len(slow.Header) <= HeaderBytesMax && len(slow.Body) <= BodyBytesMax
		if (err == nil) != slowly {
			t.Fatalf("by hand: %v, by library: %v", err, slowly)
		}
		if err == nil && (!bytes.Equal(e.Encode(), data) || !cmp.Equal(e, slow)) {
			t.Fatal("what was read is not written as it was")
		}
	})
}

func FuzzHeaderAndBodiesHaveOneForm(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		same := func(value any, err error) {
			if err == nil && !bytes.Equal(wire.Marshal(value), data) {
				t.Fatalf("%T has two forms", value)
			}
		}
		h, err := parseHeader(data)
		same(&h, err)
		g, err := DecodeGenesis(data)
		same(g, err)
		o, err := DecodeWriterOpen(data)
		same(o, err)
		p, err := DecodeForkProof(data)
		same(p, err)
		_, _, _ = p.accused(zsync.SpaceID{})
	})
}

func FuzzMessagesNeverHurtAnExchange(f *testing.F) {
	seeds(f)
	base := space(f, "ann", "bob")[0]
	f.Fuzz(func(t *testing.T, data []byte) {
		r := open(t, "ann", base.store.Image(), base.log.Space())
		x := NewExchange(r.log, folk{}, r.id.device())
		from := named("bob").device()
		r.do(func(tx kv.Tx) error {
			x.Linked(tx, start, from)
			for msgType := range uint8(8) {
				_, _ = x.Received(tx, start, from, msgType, data)
			}
			x.Advance(tx, start.Add(announceMax))
			x.Output()
			return nil
		})
	})
}
