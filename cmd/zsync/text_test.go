package main

import "testing"

func TestNamesOfOthersCannotSteerATerminal(t *testing.T) {
	for text, want := range map[string]string{
		"a b/ü–日.jpg":           "a b/ü–日.jpg",
		"\x1b[2Jgone":           `\x1b[2Jgone`,
		"two\nlines\r":          `two\nlines\r`,
		"bad \xff octet":        `bad \xff octet`,
		"c1 \u009b31m":          `c1 \u009b31m`,
		"txt.\u202egpj":         `txt.\u202egpj`,
		"zero\u200bwidth\x7f":   `zero\u200bwidth\x7f`,
		"\U000e0041 tag":        `\U000e0041 tag`,
		"it's \"quoted\" \\ so": `it's "quoted" \ so`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, not %q", text, got, want)
		}
	}
}

func TestNumbersAreWrittenAsAPersonWould(t *testing.T) {
	for got, want := range map[string]string{
		count(1, "file"): "1 file", count(0, "file"): "0 files", count(12345, "file"): "12,345 files",
		times(1): "once", times(2): "2 times", octets(int64(-1)): "0 B", octets(uint64(1500)): "1.5 kB",
	} {
		if got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}
