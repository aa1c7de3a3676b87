package disk

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/internal/wire"
	"github.com/zsync/zsync/store"
)

// The folder's database remembers which directory it is about. The same bucket
// tells the folder's machine to forget what was on the disk: see [device.KeyForget].
const bucketRoot = device.BucketRoot

var keyIdentity = []byte("identity")

// Folder is an open folder: its workers and the watch on its directory.
type Folder struct {
	*Workers
	// Unfinished are the contents that are staged in part.
	Unfinished []zsync.Digest
	// Nature is what the disk makes of names; nil where that could not be found out.
	Nature *store.Nature

	stop  context.CancelFunc
	watch sync.WaitGroup
}

// Open opens the directory of a folder, makes sure that it is the one that its
// database is about, and begins to watch it. It returns the contents that are
// staged there. sameFolder says that a person vouches for the directory; what the
// workers do is counted in stages.
func Open(dir string, space zsync.SpaceID, db kv.Store, sameFolder bool, stages *meter.Stages, post func(device.Address, any)) (*Folder, []zsync.Digest, error) {
	tree, err := store.OpenOS(dir)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", dir, err)
	}
	root, err := openRoot(tree, db, sameFolder)
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", dir, err)
	}
	staged, err := root.Staged()
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("open %s: %w", dir, err), root.Close())
	}
	f := &Folder{Workers: NewWorkers(root, space, stages, post), Unfinished: root.Unfinished()}
	if nature, known := root.Nature(); known {
		f.Nature = &nature
	}
	f.follow(func() (*Watcher, error) { return NewWatcher(dir, root.Made) }, rewatchAfter,
		device.Address{Part: device.Folder, Space: space}, post)
	return f, staged, nil
}

// openRoot opens the tree as the folder that the database knows. A directory that
// a person vouches for may hold older things than the last one did, or less: nothing
// that it lacks may be taken for deleted. The tree belongs to the root, and is
// closed when there is none.
func openRoot(tree store.FS, db kv.Store, sameFolder bool) (root *store.Root, err error) {
	var expect store.Identity
	err = db.View(func(tx kv.Tx) error {
		if data := tx.Get(bucketRoot, keyIdentity); data != nil {
			return decodeIdentity(data, &expect)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, tree.Close())
	}
	if root, err = store.Open(tree, store.Options{Expect: expect, SameFolder: sameFolder, Hands: runtime.GOMAXPROCS(0)}); err != nil {
		return nil, err
	}
	if root.Identity() == expect {
		return root, nil
	}
	err = db.Update(func(tx kv.Tx) error {
		tx.Put(bucketRoot, keyIdentity, encodeIdentity(root.Identity()))
		if sameFolder && !expect.IsZero() {
			tx.Put(bucketRoot, device.KeyForget, []byte{1})
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, root.Close())
	}
	return root, nil
}

func encodeIdentity(id store.Identity) []byte {
	return binary.BigEndian.AppendUint64(id.ID[:], id.Inode)
}

func decodeIdentity(data []byte, id *store.Identity) error {
	r := wire.NewReader(data)
	r.Fill(id.ID[:])
	id.Inode = r.Uint64()
	return r.End()
}

// rewatchAfter is how long a watch that has a problem is left with it before another
// one takes its place: there may be more watches by then.
const rewatchAfter = time.Minute

// follow watches the directory until the folder is closed. Without a watch the
// periodic scan is left, and the person is told.
func (f *Folder) follow(watch func() (*Watcher, error), every time.Duration, to device.Address, post func(device.Address, any)) {
	ctx, stop := context.WithCancel(context.Background())
	f.stop = stop
	watcher, err := watch()
	f.watch.Go(func() {
		for {
			heed(ctx, watcher, err, every, func(h device.Hinted) { post(to, h) })
			if ctx.Err() != nil {
				return
			}
			if watcher, err = watch(); err == nil {
				post(to, hinted(Hint{All: true, Problem: watcher.problem})) // what happened between the two
			}
		}
	})
}

// heed posts what a watcher reports until the context ends, or for some time after
// it had a problem. failed says why there is no watcher.
func heed(ctx context.Context, watcher *Watcher, failed error, every time.Duration, post func(device.Hinted)) {
	if failed != nil {
		post(device.Hinted{Problem: failed.Error()})
		select {
		case <-ctx.Done():
		case <-time.After(every):
		}
		return
	}
	inner, stop := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		if err := watcher.Run(inner); err != nil {
			post(device.Hinted{Problem: err.Error()})
		}
	})
	defer running.Wait()
	defer stop()
	var again <-chan time.Time
	problem := "" // which a hint that says nothing of it does not end
	for {
		select {
		case <-inner.Done():
			return
		case <-again:
			return
		case hint := <-watcher.Hints():
			h := hinted(hint)
			problem = cmp.Or(h.Problem, problem)
			h.Problem = problem
			post(h)
			if hint.Problem != nil && again == nil {
				again = time.After(every)
			}
		}
	}
}

func hinted(h Hint) device.Hinted {
	out := device.Hinted{Dirs: h.Dirs, All: h.All}
	if h.Problem != nil {
		out.Problem = h.Problem.Error()
	}
	return out
}

// Close stops the watch and the workers and lets go of the directory.
func (f *Folder) Close() error {
	f.stop()
	f.watch.Wait()
	return f.Workers.Close()
}
