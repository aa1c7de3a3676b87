package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// record has a field of each form that zsync's formats use.
type record struct {
	Number   uint64   `cbor:"1,keyasint"`
	Signed   int64    `cbor:"2,keyasint,omitempty"`
	Text     string   `cbor:"3,keyasint,omitempty"`
	Octets   []byte   `cbor:"4,keyasint,omitempty"`
	Fixed    [4]byte  `cbor:"5,keyasint"`
	Optional *[4]byte `cbor:"6,keyasint,omitempty"`
	Pairs    []pair   `cbor:"7,keyasint,omitempty"`
	Flag     bool     `cbor:"24,keyasint,omitempty"`
}

type pair struct {
	_    struct{} `cbor:",toarray"`
	A, B uint64
}

func octets(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func TestRecordHasTheFormOfTheRFC(t *testing.T) {
	r := record{
		Number: 1000, Signed: -1, Text: "hi", Octets: []byte{0xff}, Fixed: [4]byte{1, 2, 3, 4},
		Optional: &[4]byte{}, Pairs: []pair{{A: 23, B: 24}}, Flag: true,
	}
	want := octets(t, "a8 01 1903e8 02 20 03 626869 04 41ff 05 4401020304 06 4400000000 07 81 82 17 1818 1818 f5")
	if got := Marshal(r); !bytes.Equal(got, want) {
		t.Fatalf("got  %x\nwant %x", got, want)
	}
	var read record
	if err := Unmarshal(want, &read); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, read, cmp.AllowUnexported(pair{})); diff != "" {
		t.Fatal(diff)
	}
}

// Each of these says what the first says, or more, in another way.
func TestOneValueHasOneForm(t *testing.T) {
	const good = "a2 01 01 05 4401020304"
	if err := Unmarshal(octets(t, good), new(record)); err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"nothing":                    "",
		"cut":                        "a2 01 01 05 44010203",
		"trailing octets":            good + "00",
		"a repeated key":             "a3 01 01 01 01 05 4401020304",
		"an unknown key":             "a3 01 01 05 4401020304 08 00",
		"a text key":                 "a3 01 01 05 4401020304 6161 00",
		"keys out of order":          "a2 05 4401020304 01 01",
		"a long number":              "a2 01 1801 05 4401020304",
		"a longer number":            "a2 01 1b0000000000000001 05 4401020304",
		"a long length":              "a2 01 01 05 580401020304",
		"a long key":                 "a2 1801 01 05 4401020304",
		"a long head":                "b802 01 01 05 4401020304",
		"a map without end":          "bf 01 01 05 4401020304 ff",
		"octets in pieces":           "a2 01 01 05 5f 4401020304 ff",
		"a tag":                      "a2 01 c101 05 4401020304",
		"a number as a float":        "a2 01 f93c00 05 4401020304",
		"null for a number":          "a2 01 f6 05 4401020304",
		"null for a field":           "a3 01 01 02 f6 05 4401020304",
		"undefined for a field":      "a3 01 01 02 f7 05 4401020304",
		"a field that may be absent": "a3 01 01 02 00 05 4401020304",
		"an empty text":              "a3 01 01 03 60 05 4401020304",
		"text that is not UTF-8":     "a3 01 01 03 61ff 05 4401020304",
		"octets for a text":          "a3 01 01 03 4161 05 4401020304",
		"text for octets":            "a3 01 01 04 6161 05 4401020304",
		"numbers for octets":         "a3 01 01 04 8101 05 4401020304",
		"too few octets":             "a2 01 01 05 43010203",
		"too many octets":            "a2 01 01 05 450102030405",
		"a negative number":          "a2 01 20 05 4401020304",
		"a pair of one":              "a3 01 01 05 4401020304 07 81 8101",
		"a pair of three":            "a3 01 01 05 4401020304 07 81 83010203",
		"an empty list":              "a3 01 01 05 4401020304 07 80",
		"a missing field":            "a1 01 01",
		"another type":               "82 01 02",
		"null":                       "f6",
	} {
		if err := Unmarshal(octets(t, text), new(record)); err == nil {
			t.Errorf("%s is read", what)
		}
	}
}

func TestOtherFormsAreToldFromBadOnes(t *testing.T) {
	if err := Unmarshal(octets(t, "a2 05 4401020304 01 01"), new(record)); !errors.Is(err, ErrNotCanonical) {
		t.Fatalf("got %v", err)
	}
}

func TestBombsAreRefused(t *testing.T) {
	deep := append(bytes.Repeat([]byte{0x81}, 100), 0)
	var nested any
	if err := Unmarshal(deep, &nested); err == nil {
		t.Error("100 lists in each other are read")
	}
	var list []uint64
	if err := Unmarshal([]byte{0x9b, 0, 0, 1, 0, 0, 0, 0, 0}, &list); err == nil {
		t.Error("a list of 2^40 numbers is read")
	}
	if err := Unmarshal(append([]byte{0x9a, 0, 1, 0, 1}, make([]byte, arrayItemsMax+1)...), &list); err == nil {
		t.Error("a list above the limit is read")
	}
	if err := Unmarshal(append([]byte{0x9a, 0, 1, 0, 0}, make([]byte, arrayItemsMax)...), &list); err != nil {
		t.Errorf("a list at the limit: %v", err)
	}
	var text string
	if err := Unmarshal([]byte{0x7b, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, &text); err == nil {
		t.Error("a text of 2^63 octets is read")
	}
}

func TestRecordIsReadAsItWasWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := record{
			Number: rapid.Uint64().Draw(t, "number"),
			Signed: rapid.Int64().Draw(t, "signed"),
			Text:   rapid.String().Draw(t, "text"),
			Fixed:  [4]byte(rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "fixed")),
			Flag:   rapid.Bool().Draw(t, "flag"),
		}
		if octets := rapid.SliceOf(rapid.Byte()).Draw(t, "octets"); len(octets) > 0 {
			r.Octets = octets
		}
		for range rapid.IntRange(0, 3).Draw(t, "pairs") {
			r.Pairs = append(r.Pairs, pair{A: rapid.Uint64().Draw(t, "a"), B: math.MaxUint64})
		}
		var read record
		if err := Unmarshal(Marshal(r), &read); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(r, read, cmp.AllowUnexported(pair{})); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMarshalPanicsForWhatHasNoForm(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a channel has a form")
		}
	}()
	Marshal(make(chan int))
}

func FuzzUnmarshal(f *testing.F) {
	f.Add(Marshal(record{Number: 1, Text: "a", Pairs: []pair{{A: 1, B: 2}}}))
	f.Add(Marshal(record{Signed: -5, Octets: []byte{1}, Optional: &[4]byte{}, Flag: true}))
	f.Add([]byte{0xa0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var r record
		if err := Unmarshal(data, &r); err == nil && !bytes.Equal(Marshal(r), data) {
			t.Fatalf("%x read as %+v", data, r)
		}
	})
}
