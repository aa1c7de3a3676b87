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
