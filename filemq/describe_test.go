package filemq

import (
	"fmt"
	"strings"
	"testing"
)

// describe says what a frame says, without its data.
func describe(t *testing.T, frame []byte) string {
	c, err := Decode(frame)
	if err != nil {
		t.Fatal(err)
	}
	switch c := c.(type) {
	case Ohai:
		return "OHAI" + listing(c.Caps)
	case OhaiOK:
		return "OHAI-OK" + listing(c.Caps)
	case Gimme:
		return fmt.Sprintf("GIMME %d at %d: %d items", c.Req, c.Prio, len(c.Items))
	case Bukkit:
		return "BUKKIT " + strings.Join(runs(len(c.Items), func(i int) (uint32, uint16, string) {
			return c.Req, c.Items[i].Index, fmt.Sprint(len(c.Items[i].Data), " octets")
		}), " ")
	case Noez:
		return "NOEZ " + strings.Join(runs(len(c.Items), func(i int) (uint32, uint16, string) {
			return c.Req, c.Items[i].Index, fmt.Sprintf("code %d", c.Items[i].Code)
		}), " ")
	}
	name := strings.ToUpper(strings.TrimPrefix(fmt.Sprintf("%T", c), "filemq."))
	return strings.TrimSpace(name + " " + strings.Trim(fmt.Sprintf("%v", c), "{}"))
}

func listing(d Dictionary) (text string) {
	for _, pair := range d {
		text += " " + pair.Key + "=" + pair.Value
	}
	return text
}

// runs tells of items, and of those in a row of which the same is to be told, once.
func runs(count int, item func(int) (uint32, uint16, string)) (text []string) {
	for first := 0; first < count; {
		req, index, what := item(first)
		last, end := index, first+1
		for ; end < count; end++ {
			if r, i, w := item(end); r != req || i != last+1 || w != what {
				break
			}
			last++
		}
		if first = end; last == index {
			text = append(text, fmt.Sprintf("%d/%d (%s)", req, index, what))
		} else {
			text = append(text, fmt.Sprintf("%d/%d-%d (%s each)", req, index, last, what))
		}
	}
	return text
}
