package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
)

// printable returns text with everything escaped that is not shown but obeyed by a
// terminal, or that makes text look like another one: file names come from other
// devices.
func printable(text string) string {
	var out strings.Builder
	for len(text) > 0 {
		r, size := utf8.DecodeRuneInString(text)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&out, `\x%02x`, text[0])
		case unicode.IsPrint(r):
			out.WriteRune(r)
		default:
			out.WriteString(strings.Trim(strconv.QuoteRuneToASCII(r), "'"))
		}
		text = text[size:]
	}
	return out.String()
}

// count returns a number of things in words; things take an s.
func count[N int | int64 | uint64](n N, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return humanize.Comma(int64(n)) + " " + thing + "s"
}

// times returns how often something happened.
func times(n int) string {
	if n == 1 {
		return "once"
	}
	return count(n, "time")
}

// octets returns a size in words; a negative one, which a count that is being
// renewed may show for a moment, is none.
func octets[N int64 | uint64](n N) string { return humanize.Bytes(uint64(max(0, n))) }

// ago returns how long ago a time written by package control was.
func ago(text string) string {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return "never"
	}
	return humanize.Time(at)
}

// shortKey is enough of a key to tell devices apart by eye.
func shortKey(key string) string { return key[:min(len(key), 10)] + "…" }
