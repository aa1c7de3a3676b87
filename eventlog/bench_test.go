package eventlog

import (
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

func BenchmarkAppend(b *testing.B) {
	r := founded(b, "ann")
	body := make([]byte, 20<<10)
	for b.Loop() {
		r.append(zsync.KindFS, body)
	}
}

func BenchmarkMerge(b *testing.B) {
	ann := founded(b, "ann")
	for range 1000 {
		ann.append(zsync.KindFS, make([]byte, 20<<10))
	}
	all := ann.all()
	for b.Loop() {
		open(b, "bob", kv.NewMemory(), ann.log.Space()).merge(all...)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(all)), "µs/event")
}

func BenchmarkCodec(b *testing.B) {
	e := Envelope{Header: make([]byte, 400), Sig: make([]byte, 64), Body: make([]byte, 20<<10)}
	data := e.Encode()
	b.Run("encode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			e.Encode()
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, err := DecodeEnvelope(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
