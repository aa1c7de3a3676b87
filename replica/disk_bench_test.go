package replica

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

const benchFiles = 20_000

// paper is a Replica without a disk: the facts are made up.
type paper struct {
	db    *kv.Memory
	rep   *Replica
	log   []eventlog.Event
	now   time.Time
	inode uint64
	dirs  map[zsync.Path]*store.Listing
}

func newPaper(b *testing.B) *paper {
	b.Helper()
	p := &paper{db: kv.NewMemory(), now: bootTime, dirs: map[zsync.Path]*store.Listing{}}
	p.fact(func(tx kv.Tx) {
		rep, err := Open(tx, Config{Space: testSpace, Applies: true, Authors: true})
		if err != nil {
			b.Fatal(err)
		}
		p.rep = rep
	})
	return p
}

func (p *paper) fact(f func(tx kv.Tx)) {
	err := p.db.Update(func(tx kv.Tx) error {
		f(tx)
		for {
			seq := uint64(len(p.log) + 1)
			body := p.rep.Body(tx, zsync.WriterID{1}, seq)
			if body == nil {
				return nil
			}
			h := zsync.Header{Space: testSpace, Writer: zsync.WriterID{1}, Kind: zsync.KindFS, Seq: seq, Lamport: seq}
			ev := eventlog.Event{ID: eventID(h), Header: h, Body: body}
			p.log = append(p.log, ev)
			if err := p.rep.Fold(tx, []eventlog.Event{ev}); err != nil {
				return err
			}
			p.rep.Logged(tx, ev)
		}
	})
	if err != nil {
		panic(err)
	}
}

func (p *paper) stat(kind zsync.FileType, size int64) store.Stat {
	p.inode++
	return store.Stat{Type: kind, Size: size, MtimeNS: 1, CtimeNS: 1, BirthNS: 1, Inode: p.inode, Mode: 0o644}
}

// fill puts 200 directories of 100 files on the paper disk.
func (p *paper) fill() {
	root := &store.Listing{}
	p.dirs[""] = root
	for d := range benchFiles / 100 {
		name := fmt.Sprintf("album %04d", d)
		root.Entries = append(root.Entries, store.Entry{Name: name, Stat: p.stat(zsync.TypeDir, 0)})
		l := &store.Listing{Path: zsync.Path(name)}
		for f := range 100 {
			l.Entries = append(l.Entries, store.Entry{Name: fmt.Sprintf("IMG_%05d.jpg", f), Stat: p.stat(zsync.TypeFile, 4096)})
		}
		p.dirs[l.Path] = l
	}
}

func contentOf(path zsync.Path) zsync.Digest { return sha256.Sum256([]byte(path)) }

// run answers all orders until there are none.
func (p *paper) run() {
	for {
		out := p.rep.Output()
		answered := p.answer(out)
		if due := p.rep.Deadline(); !answered {
			if due.IsZero() || due.After(p.now.Add(30*time.Minute)) {
				return
			}
			p.now = due
			p.fact(func(tx kv.Tx) { p.rep.Advance(tx, p.now) })
		}
	}
}

func (p *paper) answer(out Output) (any bool) {
	if len(out.List) > 0 {
		any = true
		p.fact(func(tx kv.Tx) {
			for _, dir := range out.List {
				l := store.Listing{Path: dir}
				if known := p.dirs[dir]; known != nil {
					l = *known
				}
				p.rep.Listed(tx, p.now, l)
			}
		})
	}
	for jobs := range slices.Chunk(out.Hash, 64) {
		any = true
		hashed := make([]store.Hashed, len(jobs))
		for i, j := range jobs {
			hashed[i] = store.Hashed{Path: j.Path, Stat: j.Old, Content: contentOf(j.Path)}
		}
		p.fact(func(tx kv.Tx) { p.rep.Hashed(tx, p.now, hashed) })
	}
	if len(out.Want) > 0 {
		any = true
		p.fact(func(tx kv.Tx) {
			for _, w := range out.Want {
				p.rep.Staged(tx, p.now, w.Content, nil)
			}
		})
	}
	if out.Flush {
		any = true
		p.fact(func(tx kv.Tx) { p.rep.Flushed(tx, p.now, nil) })
	}
	for _, batch := range out.Apply {
		any = true
		results := make([]store.Result, len(batch.Changes))
		for i, c := range batch.Changes {
			kind := zsync.TypeFile
			if c.Op == store.OpMkdir {
				kind = zsync.TypeDir
			}
			results[i].Stat = p.stat(kind, c.Size)
		}
		p.fact(func(tx kv.Tx) { p.rep.Applied(tx, p.now, batch.Number, results) })
	}
	return any
}

// BenchmarkRecordNewFiles: 20,000 new files become events and D.
func BenchmarkRecordNewFiles(b *testing.B) {
	for b.Loop() {
		p := newPaper(b)
		p.fill()
		p.fact(func(tx kv.Tx) { p.rep.Start(tx, p.now, nil, nil) })
		p.run()
		if s := p.rep.disk.totals; s.files != benchFiles {
			b.Fatalf("%d files", s.files)
		}
		b.ReportMetric(float64(len(p.log)), "events")
	}
}

// BenchmarkApplyNewFiles: 20,000 files of another device are planned, staged,
// applied and committed to D; folding their events is not counted.
func BenchmarkApplyNewFiles(b *testing.B) {
	author := newPaper(b)
	author.fill()
	author.fact(func(tx kv.Tx) { author.rep.Start(tx, author.now, nil, nil) })
	author.run()
	for b.Loop() {
		b.StopTimer()
		p := newPaper(b)
		p.fact(func(tx kv.Tx) { p.rep.Start(tx, p.now, nil, nil) })
		p.run()
		p.fact(func(tx kv.Tx) {
			if err := p.rep.Fold(tx, author.log); err != nil {
				b.Fatal(err)
			}
		})
		b.StartTimer()
		p.run()
		if s := p.rep.disk.totals; s.files != benchFiles || s.needFiles != 0 {
			b.Fatalf("%+v", s)
		}
	}
}
