package main

import (
	"bytes"
	"encoding/json"
	"testing"
)

func TestNamesInJSONCannotSteerATerminal(t *testing.T) {
	for name, want := range map[string]string{
		"a b/ü–日.jpg":     `"a b/ü–日.jpg"`,
		"\x1b[2J\n\x00":   `"\u001b[2J\n\u0000"`,
		"c1 \u009b31m":    `"c1 \u009b31m"`,
		"txt.\u202egpj":   `"txt.\u202egpj"`,
		"\u2066a\u2069":   `"\u2066a\u2069"`,
		"\u200e\u200f":    `"\u200e\u200f"`,
		"\u061c\x7f":      `"\u061c\u007f"`,
		"\U000e0041 tag":  `"\udb40\udc41 tag"`,
		`back\slash "q"`:  `"back\\slash \"q\""`,
		"line\u2028apart": `"line\u2028apart"`,
	} {
		var out bytes.Buffer
		p := &program{stdout: &out}
		if err := p.printJSON(name); err != nil || out.String() != want+"\n" {
			t.Errorf("%q: %q, %v", name, out.String(), err)
		}
		var back string
		if err := json.Unmarshal(out.Bytes(), &back); err != nil || back != name {
			t.Errorf("%q came back as %q, %v", name, back, err)
		}
	}
}
