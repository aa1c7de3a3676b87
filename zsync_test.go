package zsync_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/zsync/zsync"
)

// goldenKey is the key of 32 octets 1, 2, 3 … 32: format, since people write keys
// down.
const goldenKey = "zs1aebagbafaydqqcikbmga2dqpcaireeyuculbogazdinryhi6d4qimxzb"

func countingKey() (key zsync.Key) {
	for i := range key {
		key[i] = byte(i + 1)
	}
	return key
}

func TestKeyTextIsFormat(t *testing.T) {
	if text := countingKey().String(); text != goldenKey {
		t.Errorf("key is written %s, want %s", text, goldenKey)
	}
}

func TestParseKeyReadsWhatStringWrote(t *testing.T) {
	for _, text := range []string{goldenKey, " " + goldenKey + "\n", strings.ToUpper(goldenKey)} {
		key, err := zsync.ParseKey(text)
		if err != nil || key != countingKey() {
			t.Errorf("ParseKey(%q) = %v, %v", text, key, err)
		}
	}
}

func TestEveryTypingErrorIsToldAtOnce(t *testing.T) {
	spoilt := map[string]string{
		"empty": "", "prefix alone": "zs1", "no prefix": goldenKey[3:], "cut": goldenKey[:len(goldenKey)-1],
		"letter too many": goldenKey + "4", "letter doubled": goldenKey + goldenKey[len(goldenKey)-1:],
		"not base32": strings.Replace(goldenKey, "a", "1", 2), "zero key": zsync.Key{}.String(),
	}
	for name, text := range spoilt {
		if _, err := zsync.ParseKey(text); !errors.Is(err, zsync.ErrKeyTyping) {
			t.Errorf("%s: %v, want ErrKeyTyping", name, err)
		}
	}
	for i := 3; i < len(goldenKey); i++ {
		wrong := byte('a')
		if goldenKey[i] == 'a' {
			wrong = 'b'
		}
		text := goldenKey[:i] + string(wrong) + goldenKey[i+1:]
		if key, err := zsync.ParseKey(text); err == nil {
			t.Errorf("letter %d mistyped reads as %v", i, key)
		}
	}
}

func TestParseNameRefusesWhatNoDiskShouldHold(t *testing.T) {
	for _, name := range []string{"", ".", "..", "a/b", "a\x00b", "\xff", strings.Repeat("x", 256)} {
		if got, err := zsync.ParseName(name); !errors.Is(err, zsync.ErrName) {
			t.Errorf("ParseName(%q) = %q, %v", name, got, err)
		}
	}
	for _, name := range []string{"a", "...", " ", "a\nb", "Zoë", strings.Repeat("x", 255)} {
		if got, err := zsync.ParseName(name); err != nil || string(got) != name {
			t.Errorf("ParseName(%q) = %q, %v", name, got, err)
		}
	}
}

func TestParsePathKeepsToTheFolder(t *testing.T) {
	deep := strings.Repeat("d/", zsync.PathDepthMax)
	for _, path := range []string{"/a", "a/", "a//b", "a/../b", ".zsync", ".zsync/id", deep + "x"} {
		if got, err := zsync.ParsePath(path); !errors.Is(err, zsync.ErrName) {
			t.Errorf("ParsePath(%q) = %q, %v", path, got, err)
		}
	}
	for _, path := range []string{"", "a", "a/b", "a/.zsync", strings.TrimSuffix(deep, "/")} {
		if got, err := zsync.ParsePath(path); err != nil || string(got) != path {
			t.Errorf("ParsePath(%q) = %q, %v", path, got, err)
		}
	}
}

func TestPathTakenApartAndJoinedIsThePath(t *testing.T) {
	for _, path := range []zsync.Path{"a", "a/b", "a/b/c.jpg"} {
		if again := path.Dir().Join(path.Base()); again != path {
			t.Errorf("%q taken apart and joined is %q", path, again)
		}
	}
}

func TestStampsAreOrderedByLamportThenWriterThenSeqThenIndex(t *testing.T) {
	ascending := []zsync.Stamp{
		{},
		{Lamport: 1, Writer: zsync.WriterID{9}, Seq: 9, Index: 9},
		{Lamport: 2, Writer: zsync.WriterID{1}, Seq: 9, Index: 9},
		{Lamport: 2, Writer: zsync.WriterID{2}, Seq: 1, Index: 9},
		{Lamport: 2, Writer: zsync.WriterID{2}, Seq: 2, Index: 1},
		{Lamport: 2, Writer: zsync.WriterID{2}, Seq: 2, Index: 2},
	}
	for i, a := range ascending {
		for j, b := range ascending {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("stamp %d against stamp %d: %d, want %d", i, j, got, want)
			}
		}
	}
}

func FuzzParseKey(f *testing.F) {
	f.Add(goldenKey)
	f.Add("zs1")
	f.Fuzz(func(t *testing.T, text string) {
		key, err := zsync.ParseKey(text)
		if err == nil && key.String() != strings.ToLower(strings.TrimSpace(text)) {
			t.Errorf("%q reads as %s", text, key)
		}
	})
}
