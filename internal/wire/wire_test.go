package wire

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestFieldsAreTakenInOrderBigEndian(t *testing.T) {
	frame := []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 2, 'h', 'i', 0, 0, 0, 2, 'y', 'o', 8, 9, 7}
	r := NewReader(frame)
	if r.Uint8() != 1 || r.Uint16() != 0x0203 || r.Uint32() != 0x04050607 || r.Uint64() != 0x08090a0b0c0d0e0f {
		t.Fatal("numbers")
	}
	if r.String() != "hi" || r.LongString(2) != "yo" || !bytes.Equal(r.Bytes(1), []byte{8}) {
		t.Fatal("strings")
	}
	var filled [1]byte
	r.Fill(filled[:])
	if filled[0] != 9 || !bytes.Equal(r.Rest(), []byte{7}) || r.Err() != nil {
		t.Fatalf("filled %d, rest %v, %v", filled[0], r.Rest(), r.Err())
	}
}

// Every way to take a field off a frame, each of at least one octet.
var takings = map[string]func(*Reader) any{
	"Uint8":      func(r *Reader) any { return r.Uint8() },
	"Uint16":     func(r *Reader) any { return r.Uint16() },
	"Uint32":     func(r *Reader) any { return r.Uint32() },
	"Uint64":     func(r *Reader) any { return r.Uint64() },
	"String":     func(r *Reader) any { return r.String() },
	"LongString": func(r *Reader) any { return r.LongString(10) },
	"Bytes":      func(r *Reader) any { return string(r.Bytes(3)) },
	"Fill":       func(r *Reader) any { into := [3]byte{}; r.Fill(into[:]); return into },
}

func TestFieldThatIsCutShortIsZeroAndAnError(t *testing.T) {
	for what, take := range takings {
		zero := take(NewReader(nil))
		whole := []byte{0, 0, 0, 2, 0xff, 0xff, 0xff, 0xff}
		if what == "String" {
			whole = []byte{2, 'h', 'i'}
		}
		r := NewReader(whole)
		if take(r); r.Err() != nil {
			t.Errorf("%s of a whole field: %v", what, r.Err())
		}
		for n := range len(whole) - len(r.Rest()) {
			r := NewReader(whole[:n])
			if got := take(r); got != zero || !errors.Is(r.Err(), ErrShort) {
				t.Errorf("%s of %d octets is %v, %v", what, n, got, r.Err())
			}
		}
	}
}

func TestReaderThatFailedTakesNothingMoreAndKeepsItsFirstError(t *testing.T) {
	first := errors.New("first")
	for what, take := range takings {
		r := NewReader([]byte{1, 1, 1, 1, 1, 1, 1, 1})
		r.Fail(first)
		zero := take(NewReader(nil))
		if got := take(r); got != zero {
			t.Errorf("%s took %v", what, got)
		}
		r.Fail(errors.New("second"))
		if !errors.Is(r.Err(), first) || !errors.Is(r.End(), first) || len(r.Rest()) != 8 {
			t.Errorf("%s: %v, %v", what, r.Err(), r.Rest())
		}
	}
}

func TestOctetsAfterTheLastFieldAreAnError(t *testing.T) {
	r := NewReader([]byte{1, 2})
	r.Uint8()
	if err := r.End(); !errors.Is(err, ErrTrailing) || !errors.Is(r.Err(), ErrTrailing) {
		t.Fatalf("got %v", err)
	}
	if err := NewReader(nil).End(); err != nil {
		t.Fatalf("of an empty frame: %v", err)
	}
}

func TestNegativeLengthIsAnError(t *testing.T) {
	r := NewReader([]byte{1, 2})
	if got := r.Bytes(-1); got != nil || !errors.Is(r.Err(), ErrShort) {
		t.Fatalf("got %v, %v", got, r.Err())
	}
}

func TestBytesAliasTheFrameAndCannotGrowIntoIt(t *testing.T) {
	frame := []byte{1, 2, 3}
	taken := NewReader(frame).Bytes(2)
	frame[0] = 9
	if taken[0] != 9 {
		t.Fatal("it was copied")
	}
	_ = append(taken, 7)
	if frame[2] != 3 {
		t.Fatal("an append wrote into the frame")
	}
}

func TestLongStringAboveItsLimitIsRefusedWhateverTheFrameHolds(t *testing.T) {
	for _, frame := range [][]byte{{0, 0, 0, 3, 'a', 'b', 'c'}, {0xff, 0xff, 0xff, 0xff}} {
		r := NewReader(frame)
		if got := r.LongString(2); got != "" || !errors.Is(r.Err(), ErrLimit) {
			t.Errorf("got %q, %v", got, r.Err())
		}
	}
}

func TestCountIsRefusedAboveItsLimitOrWhatTheFrameCanHold(t *testing.T) {
	for _, c := range []struct {
		n                uint64
		limit, itemBytes int
		rest             int
		want             int
	}{
		{0, 0, 8, 0, 0},
		{3, 3, 8, 24, 3},
		{3, 4, 8, 25, 3},
		{4, 3, 1, 100, -1},
		{3, 10, 8, 23, -1},
		{1 << 40, 1 << 20, 1, 100, -1},
		{1<<64 - 1, 1 << 62, 4, 100, -1},
	} {
		r := NewReader(make([]byte, c.rest))
		got := r.Count(c.n, c.limit, c.itemBytes)
		if c.want < 0 {
			if got != 0 || !errors.Is(r.Err(), ErrLimit) {
				t.Errorf("%+v: %d, %v", c, got, r.Err())
			}
			continue
		}
		if got != c.want || r.Err() != nil {
			t.Errorf("%+v: %d, %v", c, got, r.Err())
		}
	}
	r := NewReader(make([]byte, 8))
	r.Fail(ErrShort)
	if r.Count(1, 1, 1) != 0 || !errors.Is(r.Err(), ErrShort) {
		t.Error("a failed reader counts")
	}
}

func TestStringsAreReadAsTheyWereAppended(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		short := rapid.StringOfN(rapid.Rune(), 0, 60, 255).Draw(t, "short")
		long := rapid.String().Draw(t, "long")
		r := NewReader(AppendLongString(AppendString(nil, short), long))
		if r.String() != short || r.LongString(len(long)) != long || r.End() != nil {
			t.Fatalf("%q and %q became something else: %v", short, long, r.Err())
		}
	})
}

func TestAppendStringPanicsForATextThatIsTooLong(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("256 octets have a one-octet length")
		}
	}()
	AppendString(nil, strings.Repeat("a", 256))
}

// Whatever is taken off whatever frame, the octets taken and those left are the
// frame, and nothing beyond it is touched.
func FuzzReader(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, []byte{0, 1, 2, 3, 4, 5, 6, 7, 8})
	f.Add([]byte{4, 0, 0, 0, 1, 'a'}, []byte{5, 5})
	f.Fuzz(func(t *testing.T, frame, takes []byte) {
		r := NewReader(frame)
		for _, take := range takes {
			before := len(r.Rest())
			failed := r.Err() != nil
			switch take % 9 {
			case 0:
				r.Uint8()
			case 1:
				r.Uint16()
			case 2:
				r.Uint32()
			case 3:
				r.Uint64()
			case 4:
				_ = r.String()
			case 5:
				r.LongString(int(take))
			case 6:
				r.Bytes(int(take) - 9)
			case 7:
				r.Fill(make([]byte, take/9))
			case 8:
				if n := r.Count(uint64(take), int(take), 2); n*2 > before {
					t.Fatalf("%d items of 2 in %d octets", n, before)
				}
			}
			if failed && len(r.Rest()) != before {
				t.Fatal("a failed reader went on")
			}
			if len(r.Rest()) > before || !bytes.HasSuffix(frame, r.Rest()) {
				t.Fatal("the rest is no end of the frame")
			}
		}
		if err := r.End(); err == nil && len(r.Rest()) != 0 {
			t.Fatal("the end is not the end")
		}
	})
}
