package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/internal/control"
	"github.com/zsync/zsync/internal/device"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/kv/bolt"
	"github.com/zsync/zsync/internal/meter"
	"github.com/zsync/zsync/internal/zeromq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/zre"
)

// appliance is a device put together and ready to run.
type appliance struct {
	home     home
	lock     *flock.Flock
	database kv.Store
	context  *zeromq.Context
	log      *slog.Logger
	stages   *meter.Stages
	running  *device.Running
	server   *control.Server
	self     control.Self
}

// errRunning says that another process runs the device of this home.
var errRunning = errors.New("a device is running for this home already")

// assemble opens the home and everything in it, and binds the sockets. The
// device runs once run is called.
func (p *program) assemble(f deviceFlags, sameFolder string) (a *appliance, err error) {
	if err := p.makeHome(); err != nil {
		return nil, err
	}
	a = &appliance{home: p.home(), lock: flock.New(p.home().lock()), stages: new(meter.Stages)}
	if held, err := a.lock.TryLock(); err != nil {
		return nil, fmt.Errorf("lock %s: %w", p.home().lock(), err)
	} else if !held {
		return nil, errRunning
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.close())
		}
	}()
	keys, err := p.loadOrMakeKeys(false)
	if err != nil {
		return a, err
	}
	s, err := p.settle(f)
	if err != nil {
		return a, err
	}
	if err := os.MkdirAll(filepath.Join(a.home.dir, "spaces"), 0o700); err != nil {
		return a, err
	}
	if a.database, err = openWhenFree(a.home.database(), &a.stages.Commit); err != nil {
		return a, err
	}
	return a, a.wire(p, keys, s, sameFolder)
}

// giveBack gives the system the memory that nobody needs any more.
func giveBack() {
	debug.FreeOSMemory()
	zeromq.GiveBack()
}

// openWhenFree opens a database that a command may be writing to, for a while.
func openWhenFree(path string, commits *meter.Stage) (kv.Store, error) {
	for deadline := time.Now().Add(startingTime); ; {
		db, err := bolt.Open(path) // which waits for a second
		switch {
		case err == nil:
			db.Commits = commits
			return db, nil
		case !locked(err) || time.Now().After(deadline):
			return nil, err
		}
	}
}

// wire connects the machines with the sockets and the disk.
func (a *appliance) wire(p *program, keys *security.Keys, s settings, sameFolder string) (err error) {
	restored, err := a.beginGeneration()
	if err != nil {
		return err
	}
	trust, circle, err := device.Known(a.database, a.home.trusted())
	if err != nil {
		return err
	}
	if err := a.noteKept(); err != nil {
		return err
	}
	limits, err := p.limitsOf(s)
	if err != nil {
		return err
	}
	descriptors, err := zeromq.RaiseFileLimit()
	if err != nil {
		fmt.Fprintf(p.stderr, "zsync: warning: %v\n", err)
	}
	if a.context, err = zeromq.NewContext(); err != nil {
		return err
	}
	gate := zeromq.NewGate(a.context)
	gate.Admit(device.AdmissionOf(trust)) // before it listens: who is not let in tries again seconds later
	uuid := zre.UUID(draw())
	mailbox, transfer, err := a.listen(p, keys, &s)
	if err != nil {
		return err
	}
	cert := keys.Certify(s.Name, 1)
	a.log = slog.New(slog.NewTextHandler(logTo(p.stderr), &slog.HandlerOptions{Level: slog.LevelWarn}))
	a.running, err = device.NewRunning(device.Host{
		Mailbox: zeromq.NewNetwork(mailbox), Transfer: zeromq.NewNetwork(transfer), Gate: gate,
		Open: func(order device.OpenFolder, post func(device.Address, any)) (device.Opened, error) {
			order.Same = order.Same || order.Dir == sameFolder
			opened, err := a.open(order, post)
			if err == nil && order.Same {
				sameFolder = "" // the word is for the directory that is there now
			}
			return opened, err
		},
		OldStore:     a.oldStore,
		WriteTrusted: func(text []byte) error { return renameio.WriteFile(a.home.trusted(), text, 0o600) },
		Seed:         seed,
		Look:         zeromq.Lookout(),
		Stages:       a.stages,
		GiveBack:     giveBack,
		Log:          a.log,
	}, a.database,
		device.HomeConfig{Keys: keys, Cert: cert, Seed: seed(), FoldersMax: offeredMax(descriptors)},
		device.LinkConfig{
			Keys: keys, Certificate: cert, UUID: uuid, Name: s.Name, Endpoint: advertised(s.Listen),
			TransferPort: portOf(transfer.Endpoint()), Restored: restored, Trust: trust, Circle: circle, Peers: staticPeers(s.Peers), Limits: limits,
		})
	if err != nil {
		return err
	}
	a.self = control.Self{
		Key: keys.Key().String(), Device: keys.Device().String(), Name: s.Name,
		Listen: hostPort(mailbox.Endpoint()), Transfer: hostPort(transfer.Endpoint()),
	}
	a.server, err = control.Listen(a.home.socket(), a.running, a.self)
	if errors.Is(err, control.ErrPathTooLong) {
		return failed(exitFailed, err, "choose a shorter home with --home DIR")
	}
	return err
}

// folderDescriptors is what a folder has open: its database, its directories and the
// watch.
const folderDescriptors = 16

// offeredMax is how many folders a device keeps before it takes no more that others
// offer. Connections may take half of the descriptors, and some have to be left.
func offeredMax(descriptors uint64) int {
	return max(1, int(min(descriptors, 1<<20))*3/8/folderDescriptors)
}

// listen binds both links where they were bound before, and remembers where.
func (a *appliance) listen(p *program, keys *security.Keys, s *settings) (mailbox, transfer *zeromq.Link, err error) {
	_, secret := keys.Curve()
	mailbox, err = a.bind("--listen", s.Listen, zeromq.Config{
		Key: keys.Key(), Secret: secret, Multipart: true, AdmitPending: true, MessageBytesMax: 1 << 20,
		In: &a.stages.MailIn, Out: &a.stages.MailOut,
	})
	if err != nil {
		return nil, nil, err
	}
	s.Listen = hostPort(mailbox.Endpoint())
	if s.Transfer == "" {
		s.Transfer = sameHost(s.Listen)
	}
	transfer, err = a.bind("--listen-transfer", s.Transfer, zeromq.Config{
		Key: keys.Key(), Secret: secret, MessageBytesMax: filemq.FrameBytesMax, Bulk: true,
		In: &a.stages.TransferIn, Out: &a.stages.TransferOut,
	})
	if err != nil {
		return nil, nil, err
	}
	s.Transfer = hostPort(transfer.Endpoint())
	return mailbox, transfer, p.writeSettings(*s)
}

func (a *appliance) bind(flag, address string, cfg zeromq.Config) (*zeromq.Link, error) {
	var err error
	if cfg.Bind, err = endpoint(address); err != nil {
		return nil, err
	}
	link, err := a.context.Listen(cfg)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, failedf(exitFailed, fmt.Sprintf("ss -ltnp  shows which program has it; choose another address with %s HOST:PORT", flag),
			"%s %s: the port is in use by another program, perhaps by a zsync that runs already with another --home", flag, address)
	}
	if err != nil {
		return nil, failed(exitFailed, fmt.Errorf("%s %s: %w", flag, address, err), "choose another address with "+flag+" HOST:PORT")
	}
	return link, nil
}

// beginGeneration counts the starts of this home, so that a home that was
// restored from a backup or copied is known as one. That it is lost is written down
// with it, since some spaces may not be opened before a later start.
func (a *appliance) beginGeneration() (lost bool, err error) {
	const bucket = "generation"
	var recorded security.Generation
	err = a.database.View(func(tx kv.Tx) (err error) {
		recorded, err = security.ParseGeneration(tx.Get(bucket, []byte("recorded")))
		return err
	})
	if err != nil {
		return false, err
	}
	next, lost, err := security.CheckGeneration(a.home.generation(), recorded)
	if err != nil {
		return false, err
	}
	return lost, a.database.Update(func(tx kv.Tx) error {
		tx.Put(bucket, []byte("recorded"), next.Encode())
		if lost {
			device.NoteLoss(tx, draw())
		}
		return nil
	})
}

// run runs the device and its control socket until the context ends.
func (a *appliance) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return a.running.Run(ctx) })
	group.Go(func() error { return a.server.Run(ctx) })
	return errors.Join(group.Wait(), a.close())
}

// noteKept takes what is kept no more off the list of folders that stands in for
// device.db. What was opened once is added then, by noteOpened.
func (a *appliance) noteKept() error {
	folders, _, err := device.Kept(a.database)
	if err != nil {
		return err
	}
	noted, err := a.home.notedFolders()
	if err == nil {
		folders = slices.DeleteFunc(folders, func(reg device.Registration) bool { return !isNoted(noted, reg) })
	}
	return a.home.noteFolders(folders)
}

func (a *appliance) close() (err error) {
	if a.context != nil {
		err = a.context.Close()
	}
	if a.database != nil {
		if a.running != nil {
			_ = a.noteKept() // it is renewed at the next start
		}
		err = errors.Join(err, a.database.Close())
	}
	return errors.Join(err, a.lock.Unlock())
}

func draw() (octets [16]byte) {
	_, _ = rand.Read(octets[:]) // never fails: see crypto/rand
	return octets
}

func seed() (octets [32]byte) {
	_, _ = rand.Read(octets[:]) // never fails: see crypto/rand
	return octets
}

// staticPeers reads HOST:PORT[,KEY]; a key that was remembered has been checked.
func staticPeers(texts []string) (peers []device.Peer) {
	for _, text := range texts {
		address, keyText, _ := strings.Cut(text, ",")
		key, _ := zsync.ParseKey(keyText)
		peers = append(peers, device.Peer{Address: address, Key: key})
	}
	return peers
}

// hostPort returns a bound endpoint as a person types it; ZeroMQ writes IPv4
// addresses as IPv6 ones.
func hostPort(endpoint string) string {
	text := strings.TrimPrefix(endpoint, "tcp://")
	if at, err := netip.ParseAddrPort(text); err == nil {
		return netip.AddrPortFrom(at.Addr().Unmap(), at.Port()).String()
	}
	return text
}

// advertised is what HELLO says: a host that means every interface tells peers
// to use the address that they see.
func advertised(endpoint string) string {
	for _, every := range []string{"tcp://*:", "tcp://[::]:"} {
		if port, is := strings.CutPrefix(endpoint, every); is {
			return "tcp://0.0.0.0:" + port
		}
	}
	return endpoint
}

func portOf(endpoint string) int {
	_, port, err := net.SplitHostPort(hostPort(endpoint))
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(port)
	return n
}

// pollEvery is how often a command that waits asks how things are.
const pollEvery = 200 * time.Millisecond
