package filemq

import (
	"bytes"
	"testing"
	"time"
)

// FuzzDecode: what can be read can be written, and in the extension one command
// has one encoding.
func FuzzDecode(f *testing.F) {
	for _, frame := range goldenFrames(f) {
		f.Add(frame)
	}
	f.Fuzz(func(t *testing.T, frame []byte) {
		c, err := Decode(frame)
		if err != nil {
			return
		}
		again := Encode(c)
		if !bytes.HasPrefix(frame, again) {
			t.Errorf("%x was read as %#v and written as %x", frame, c, again)
		}
		if frame[2]&0xF0 == 0x20 && len(again) != len(frame) {
			t.Errorf("%x has octets to spare", frame)
		}
	})
}

// FuzzSession: whatever a peer sends, in whatever order, the session keeps its
// ledger and its bounds, and answers each item that was asked for once. The
// input is frames, each after two octets of its length.
func FuzzSession(f *testing.F) {
	greeting := goldenFrames(f)["ohai-caps"]
	all := framed(greeting)
	for _, frame := range goldenFrames(f) {
		f.Add(append(framed(greeting), framed(frame)...))
		all = append(all, framed(frame)...)
	}
	f.Add(all)
	f.Fuzz(func(t *testing.T, input []byte) {
		now := time.Unix(0, 0)
		s := NewSession(now, Config{Compress: true}, false)
		asked, answered := 0, 0
		for len(input) >= 2 {
			n := min(int(input[0])<<8|int(input[1]), len(input)-2)
			frame := input[2 : 2+n]
			input = input[2+n:]
			now = now.Add(time.Second)
			s.Received(now, frame)
			if _, ok := s.Request(now, Request{Items: []Item{{Size: 5}, {Size: 5}}}); ok {
				asked += 2
			}
			out := s.Output()
			answered += len(out.Got) + len(out.Missing)
			checkSession(t, s)
			for i, read := range out.Reads {
				if i%2 == 0 && read.Size < 1<<10 {
					s.Supplied(now, read.Req, read.Index, make([]byte, read.Size))
				} else {
					s.Refused(now, read.Req, read.Index, CodeRead)
				}
			}
			checkSession(t, s)
			if deadline := s.Deadline(); n == 0 && deadline.After(now) {
				now = deadline
				s.Advance(now)
			}
		}
		s.Close(now, "end")
		out := s.Output()
		if answered += len(out.Got) + len(out.Missing); answered != asked {
			t.Errorf("%d items asked for, %d answered", asked, answered)
		}
	})
}

func framed(frame []byte) []byte {
	return append([]byte{byte(len(frame) >> 8), byte(len(frame))}, frame...)
}
