package zre

import "testing"

// BenchmarkCodec makes and reads a HELLO in ten groups, and a WHISPER of 8 KiB.
func BenchmarkCodec(b *testing.B) {
	hello := Command{ID: CommandHello, Sequence: 1, Endpoint: "tcp://192.0.2.1:49152", Name: "laptop", Headers: []Header{{"X-ZSYNC", "1;transfer=49153"}}}
	for range 10 {
		hello.Groups = append(hello.Groups, "zsync-000102030405060708090a0b0c0d0e0f")
	}
	whisper := Command{ID: CommandWhisper, Sequence: 7, Content: [][]byte{make([]byte, 8<<10)}}
	for name, command := range map[string]Command{"hello": hello, "whisper": whisper} {
		frames := command.Frames()
		b.Run("encode/"+name, func(b *testing.B) {
			for b.Loop() {
				command.Frames()
			}
		})
		b.Run("decode/"+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := ParseCommand(frames); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
