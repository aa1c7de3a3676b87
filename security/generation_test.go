package security

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// home is a device's generation file and what its database recorded of it.
type home struct {
	t        *testing.T
	path     string
	recorded Generation
}

func newHome(t *testing.T) *home {
	return &home{t: t, path: filepath.Join(t.TempDir(), "generation")}
}

// start begins a generation and records it, as a device does.
func (h *home) start() (lost bool) {
	h.t.Helper()
	next, lost, err := CheckGeneration(h.path, h.recorded)
	if err != nil {
		h.t.Fatal(err)
	}
	kept, err := ParseGeneration(next.Encode())
	if err != nil || kept != next {
		h.t.Fatalf("%v recorded as %v, %v", next, kept, err)
	}
	h.recorded = kept
	return lost
}

func TestNothingIsLostFromStartToStart(t *testing.T) {
	h := newHome(t)
	for i := range uint64(4) {
		if h.start() {
			t.Fatalf("lost at start %d", i)
		}
		if h.recorded.Counter != i+1 {
			t.Fatalf("counted %d at start %d", h.recorded.Counter, i)
		}
	}
}

func TestRestoredDatabaseIsALoss(t *testing.T) {
	h := newHome(t)
	h.start()
	backup := h.recorded
	h.start()
	h.recorded = backup
	if !h.start() {
		t.Fatal("an old database passed")
	}
	if h.start() {
		t.Fatal("lost again, with nothing restored")
	}
}

func TestLostDatabaseIsALoss(t *testing.T) {
	h := newHome(t)
	h.start()
	h.recorded = Generation{}
	if !h.start() {
		t.Fatal("an empty database passed")
	}
}

func TestLostGenerationFileIsALoss(t *testing.T) {
	h := newHome(t)
	h.start()
	before := h.recorded.Counter
	if err := os.Remove(h.path); err != nil {
		t.Fatal(err)
	}
	if !h.start() || h.recorded.Counter <= before {
		t.Fatalf("counter %d after %d", h.recorded.Counter, before)
	}
}

func TestRestoredOrCopiedHomeIsALoss(t *testing.T) {
	h := newHome(t)
	h.start()
	text, err := os.ReadFile(h.path)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(t.TempDir(), "generation")
	if err := os.WriteFile(copied, text, 0o600); err != nil {
		t.Fatal(err)
	}
	clone := &home{t: t, path: copied, recorded: h.recorded}
	if !clone.start() {
		t.Fatal("a copied home passed")
	}
	if h.start() {
		t.Fatal("the home that was copied is lost")
	}
}

func TestCrashBeforeTheRecordLooksLikeALoss(t *testing.T) {
	h := newHome(t)
	h.start()
	if _, lost, err := CheckGeneration(h.path, h.recorded); lost || err != nil {
		t.Fatal(lost, err)
	}
	if !h.start() {
		t.Fatal("two starts from one record")
	}
}

func TestSpoiledGenerationFileIsALossAndNoError(t *testing.T) {
	for _, text := range []string{"", "7", "zsync generation 1 ", "zsync generation 1 -1\n", "zsync generation 2 7\n"} {
		h := newHome(t)
		h.start()
		if err := os.WriteFile(h.path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !h.start() {
			t.Errorf("%q passed", text)
		}
		if h.start() {
			t.Errorf("%q is not mended", text)
		}
	}
}

func TestGenerationIsKeptInItsForm(t *testing.T) {
	golden(t, "generation", Generation{Counter: 3, Inode: 1 << 33, ChangedNS: 1_777_863_721_000_000_001}.Encode())
	if g, err := ParseGeneration(nil); err != nil || g != (Generation{}) {
		t.Fatalf("no record read as %v, %v", g, err)
	}
	for _, data := range [][]byte{{}, {0xa0}, {0xa1, 1, 1}, []byte("zsync")} {
		if g, err := ParseGeneration(data); !errors.Is(err, ErrGeneration) {
			t.Errorf("%x read as %v, %v", data, g, err)
		}
	}
}

func TestGenerationInADirectoryThatIsNotThereIsAnError(t *testing.T) {
	if _, _, err := CheckGeneration(filepath.Join(t.TempDir(), "no", "generation"), Generation{}); err == nil {
		t.Fatal("written nowhere")
	}
}
