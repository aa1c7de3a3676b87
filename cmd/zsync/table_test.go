package main

import (
	"strings"
	"testing"
)

func TestALongTextGoesOnBelowItselfOnATerminalAndACommandIsNotBroken(t *testing.T) {
	for _, c := range []struct {
		row  []string
		want string
	}{
		{[]string{"! short"}, "! short\n"},
		{[]string{"! one two three four five six seven eight nine"}, "! one two three four five six seven\n  eight nine\n"},
		{[]string{"  ! one two three four five six seven eight nine"}, "  ! one two three four five six seven\n    eight nine\n"},
		{[]string{"! if it is yours, on it:  zsync pair --key KEY  and then wait"}, "! if it is yours, on it:\n  zsync pair --key KEY  and then wait\n"},
		{[]string{"! look at it:  zsync conflicts. If that is not so, then  zsync repair  there"}, "! look at it:  zsync conflicts. If that\n  is not so, then  zsync repair  there\n"},
		{[]string{"! a  command that is longer than a whole line is not broken at all  b"}, "! a\n  command that is longer than a whole line is not broken at all\n  b\n"},
		{[]string{"ok", "one two three four five six seven eight"}, "ok  one two three four five six seven\n    eight\n"},
		{[]string{"a name of many columns", "one two three four five"}, "a name of many columns  one two three four five\n"},
	} {
		var out strings.Builder
		wide := newTable(&out)
		wide.row(c.row...)
		if err := wide.flush(); err != nil || out.String() != strings.TrimRight(strings.Join(c.row, "  "), " ")+"\n" {
			t.Errorf("without a terminal: %q, %v", out.String(), err)
		}
		out.Reset()
		narrow := &table{out: &out, columns: 40}
		narrow.row(c.row...)
		if err := narrow.flush(); err != nil || out.String() != c.want {
			t.Errorf("got\n%s, not\n%s, %v", out.String(), c.want, err)
		}
	}
}
