package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// printJSON prints one document on a line of its own. What a terminal would obey,
// or would show as something else, is escaped: a reader of JSON gets the same
// strings, and a person who looks at it is not fooled.
func (p *program) printJSON(document any) error {
	text, err := json.Marshal(document)
	if err != nil {
		return err
	}
	_, err = p.stdout.Write(append(inertJSON(text), '\n'))
	return err
}

// inertJSON escapes what [printable] escapes. Such runes stand only in strings:
// package json writes none outside of them.
func inertJSON(text []byte) []byte {
	out := bytes.NewBuffer(make([]byte, 0, len(text)+1))
	for len(text) > 0 {
		r, size := utf8.DecodeRune(text)
		switch high, low := utf16.EncodeRune(r); {
		case unicode.IsPrint(r):
			out.Write(text[:size])
		case high != unicode.ReplacementChar:
			fmt.Fprintf(out, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(out, `\u%04x`, r)
		}
		text = text[size:]
	}
	return out.Bytes()
}
