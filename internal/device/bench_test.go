//go:build unix

package device

import (
	"crypto/sha256"
	"fmt"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/store"
)

// What a folder machine costs for each of many small files: its log, L and D, with
// the database on a disk, and with disk workers and a network that answer at once.
const (
	benchFiles  = 20_000
	benchPerDir = 100
	benchFacts  = 4 // a turn; more gather on a machine that is busy
)

// benchCopy is one device with a folder, on a disk that is made up.
type benchCopy struct {
	b       *testing.B
	cfg     FolderConfig
	machine *FolderMachine
	facts   []any
	peer    *benchCopy // linked
	tree    map[zsync.Path]*store.Listing
	inode   uint64
	now     time.Time
	cost    time.Duration // of the processor, in turns …
	longest time.Duration // … and of the longest of them
}

func newBenchCopy(b *testing.B, name string) *benchCopy {
	b.Helper()
	keys := keysOf(b, name)
	return &benchCopy{
		b: b, now: epoch, tree: map[zsync.Path]*store.Listing{"": {}},
		cfg: FolderConfig{
			Keys: keys, Cert: keys.Certify(name, 1), Seed: sha256.Sum256([]byte(name)),
			Registration: Registration{Label: "Photos", Role: "sync"},
		},
	}
}

// found makes c the folder's founder.
func (c *benchCopy) found() zsync.SpaceID {
	home := &HomeMachine{cfg: HomeConfig{Keys: c.cfg.Keys, Cert: c.cfg.Cert}, draws: &draws{}}
	founding, id, err := home.conceive(epoch, eventlog.Folder)
	must(c.b, err)
	c.cfg.Founding = founding
	return id.Space()
}

// open opens the machine on a database of its own.
func (c *benchCopy) open(space zsync.SpaceID) {
	c.b.Helper()
	db, err := bolt.Open(filepath.Join(c.b.TempDir(), "db"))
	must(c.b, err)
	c.b.Cleanup(func() { _ = db.Close() })
	c.openOn(db, space)
}

func (c *benchCopy) openOn(db kv.Store, space zsync.SpaceID) {
	c.b.Helper()
	c.cfg.Space = space
	c.timed(func() {
		machine, effects, err := OpenFolderMachine(c.now, db, c.cfg)
		must(c.b, err)
		c.machine = machine
		c.carry(effects)
	})
}

func (c *benchCopy) stat(kind zsync.FileType, size int64) store.Stat {
	c.inode++
	return store.Stat{
		Type: kind, Size: size, Mode: 0o644, Inode: 1<<20 + c.inode,
		MtimeNS: epoch.UnixNano(), CtimeNS: epoch.UnixNano(), BirthNS: epoch.UnixNano() + int64(c.inode),
	}
}

// fill puts files on c's disk.
func (c *benchCopy) fill(files int) {
	for n := range files {
		dir := zsync.Path(fmt.Sprintf("d%06d", n/benchPerDir))
		if n%benchPerDir == 0 {
			c.put(dir, c.stat(zsync.TypeDir, 0))
		}
		c.put(dir.Join(zsync.Name(fmt.Sprintf("f%08d.bin", n))), c.stat(zsync.TypeFile, int64(1024+n%7168)))
	}
}

// timed counts what f costs: all of the process, its garbage included.
func (c *benchCopy) timed(f func()) {
	before := processorTime()
	c.b.StartTimer()
	f()
	c.b.StopTimer()
	cost := processorTime() - before
	c.cost, c.longest = c.cost+cost, max(c.longest, cost)
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// carry answers what a turn ordered.
func (c *benchCopy) carry(effects []Effect) {
	for _, e := range effects {
		switch order := e.What.(type) {
		case ListDir:
			c.facts = append(c.facts, Listed{c.list(order.Path)})
		case HashFiles:
			hashed := Hashed{Results: make([]store.Hashed, len(order.Jobs))}
			for i, job := range order.Jobs {
				hashed.Results[i] = store.Hashed{Path: job.Path, Stat: job.Old, Content: digestOf(string(job.Path))}
			}
			c.facts = append(c.facts, hashed)
		case FlushStaged:
			c.facts = append(c.facts, Flushed{})
		case ApplyBatch:
			c.facts = append(c.facts, c.applied(order))
		case Fetch:
			c.fetch(order.Items)
		case Say:
			if c.peer != nil && (order.To.IsZero() || order.To == c.peer.cfg.Cert.Device()) {
				c.peer.facts = append(c.peer.facts, Heard{From: c.cfg.Cert, Type: order.Type, Body: order.Body})
			}
		}
	}
}

func (c *benchCopy) applied(order ApplyBatch) Applied {
	results := make([]store.Result, len(order.Changes))
	for i, change := range order.Changes {
		switch change.Op {
		case store.OpMkdir:
			results[i].Stat = c.stat(zsync.TypeDir, 0)
		case store.OpPlace:
			results[i].Stat = c.stat(zsync.TypeFile, change.Size)
		default:
			c.b.Fatalf("%v of %s", change.Op, change.Path)
		}
		results[i].Stat.Mode, results[i].Stat.MtimeNS = change.Mode, change.MtimeNS
		c.put(change.Path, results[i].Stat)
	}
	return Applied{order.Batch, results}
}

// put adds something to the tree. Names come in order.
func (c *benchCopy) put(path zsync.Path, stat store.Stat) {
	if stat.Type == zsync.TypeDir {
		c.tree[path] = &store.Listing{Path: path}
	}
	in := c.tree[path.Dir()]
	in.Entries = append(in.Entries, store.Entry{Name: string(path.Base()), Stat: stat})
}

// list lists a directory as it is now.
func (c *benchCopy) list(dir zsync.Path) store.Listing {
	l := *c.tree[dir]
	l.Entries = slices.Clone(l.Entries)
	return l
}

// benchFrame is how many items one frame carries.
const benchFrame = 256

// fetch has the peer asked, and what comes written, a frame at a time.
func (c *benchCopy) fetch(items []Item) {
	for len(items) > 0 {
		n := min(benchFrame, len(items))
		serve := Serve{Peer: c.cfg.Cert.Device()}
		staged := Staged{}
		for i, item := range items[:n] {
			serve.Reads = append(serve.Reads, ReadPart{Index: uint16(i), Hash: item.Hash, Size: item.Size})
			staged.Pieces = append(staged.Pieces, StagedPiece{Content: item.Hash, Hash: item.Hash})
		}
		c.peer.facts = append(c.peer.facts, serve)
		c.facts = append(c.facts, staged)
		items = items[n:]
	}
}

// benchSettles is how long nothing must be due for all to be done.
const benchSettles = 20 * time.Second

// settle runs machines until none has anything to do.
func settle(copies ...*benchCopy) {
	for now := copies[0].now; ; {
		busy, due := false, time.Time{}
		for _, c := range copies {
			c.now = now
			if len(c.facts) > 0 {
				busy = true
				c.turn()
			}
			due = earliest(due, c.machine.Deadline())
		}
		switch {
		case busy:
		case due.IsZero() || due.After(now.Add(benchSettles)):
			return
		default:
			now = later(now, due)
			for _, c := range copies {
				if at := c.machine.Deadline(); !at.IsZero() && !now.Before(at) {
					c.now = now
					c.turn()
				}
			}
		}
	}
}

func (c *benchCopy) turn() {
	in := c.facts[:min(benchFacts, len(c.facts))]
	c.facts = c.facts[len(in):]
	var effects []Effect
	var err error
	c.timed(func() { effects, err = c.machine.Handle(c.now, in) })
	must(c.b, err)
	c.carry(effects)
}

func (c *benchCopy) files() int64 {
	st, err := c.machine.Status()
	must(c.b, err)
	if !st.Settled {
		return -1
	}
	return st.Replica.Files
}

// perFile reports the processor's time since last, of all runs.
func perFile(b *testing.B, cost time.Duration, name string) {
	b.ReportMetric(float64(cost.Microseconds())/float64(b.N)/benchFiles, name)
}

// author is a device whose log has all files, but for what that cost.
func author(b *testing.B) *benchCopy {
	b.Helper()
	c := newBenchCopy(b, "one")
	c.fill(benchFiles)
	c.open(c.found())
	settle(c)
	if n := c.files(); n != benchFiles {
		b.Fatalf("%d files", n)
	}
	return c
}

// BenchmarkNewFilesAreLogged: a first scan finds 20,000 files; they become events
// and D.
func BenchmarkNewFilesAreLogged(b *testing.B) {
	b.ReportAllocs()
	var cost time.Duration
	for range b.N {
		b.StopTimer()
		cost += author(b).cost
	}
	perFile(b, cost, "cpu-us/file")
}

// BenchmarkNewFilesAreApplied: a device that is linked for the first time hears of
// 20,000 files, has their bytes brought and puts them into its tree. What it costs
// who serves them is told, and not counted.
func BenchmarkNewFilesAreApplied(b *testing.B) {
	b.ReportAllocs()
	var cost, served time.Duration
	for range b.N {
		b.StopTimer()
		one, two := author(b), newBenchCopy(b, "two")
		one.cost, two.now = 0, one.now
		two.open(one.cfg.Space)
		settle(two)
		two.cost = 0
		b.ResetTimer() // the author's allocations are not those of who applies
		one.peer, two.peer = two, one
		one.facts = append(one.facts, Linked{Peer: two.cfg.Cert})
		two.facts = append(two.facts, Linked{Peer: one.cfg.Cert})
		settle(one, two)
		if n := two.files(); n != benchFiles {
			b.Fatalf("%d files", n)
		}
		cost, served = cost+two.cost, served+one.cost
	}
	perFile(b, cost, "cpu-us/file")
	perFile(b, served, "serve-us/file")
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
