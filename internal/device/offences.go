package device

import (
	"slices"
	"time"

	"github.com/zsync/zsync"
)

// Offence is a way in which a trusted device does what no honest one does.
type Offence string

// What a device can do wrong. The words are those of `zsync status --json`.
const (
	OffenceMessage  Offence = "message"  // it says what makes no sense
	OffenceEvents   Offence = "events"   // it gives events that are none
	OffenceFork     Offence = "fork"     // it wrote two histories
	OffenceChange   Offence = "change"   // its events say what no zsync says
	OffenceBytes    Offence = "bytes"    // it gives other bytes than it was asked for
	OffenceTransfer Offence = "transfer" // it broke the rules of the transfer
	OffenceFlood    Offence = "flood"    // it says more than can be taken in
	OffenceClone    Offence = "clone"    // it runs twice at a time
	OffenceTwin     Offence = "twin"     // it says that this device runs twice at a time, which nothing proves
	OffenceRestored Offence = "restored" // this device itself: it may have forgotten what it said
)

// Why says it in words that follow the device's name, with what became of it.
func (o Offence) Why() string {
	switch o {
	case OffenceMessage:
		return "sends messages that make no sense; they are dropped"
	case OffenceEvents:
		return "sends changes that are forged, broken or dated impossibly far ahead; none of them is taken"
	case OffenceFork:
		return "wrote two histories that contradict each other; what it wrote after they part does not count: " +
			"its home was put back from an older copy, or copied to a second computer; what was changed since is kept beside each other:  zsync conflicts"
	case OffenceChange:
		return "writes changes that no zsync writes, such as a file named \"..\"; they change nothing"
	case OffenceBytes:
		return "sends bytes that are not those of the file; they are thrown away and fetched again"
	case OffenceTransfer:
		return "breaks the rules by which files are sent; the connection was closed"
	case OffenceFlood:
		return "sends more than this device can take in; what is too much is dropped"
	case OffenceClone:
		return "is in use on two computers at the same time, since its home was copied: the others talk to one of them at a time, and what the other one has waits; " +
			"no file is lost. On the copy, never on the first computer, remove the file \"key\" of its home, and type  zsync repair"
	case OffenceTwin:
		return "says that this device is in use on two computers at the same time. That is so only if its home was copied: then the others talk to one of the two at a time, " +
			"and what the other one has waits; no file is lost. On the copy, never on the first computer, remove the file \"key\" of its home, and type  zsync repair. " +
			"Where no home was copied, that device errs or lies, and nothing is to be done here"
	case OffenceRestored:
		return "may have forgotten some of what it said: its home was put back from an older copy, or copied to or from another computer, or lost a database. " +
			"No file is lost; what clashes is kept beside each other:  zsync conflicts. If the other computer is in use, remove the file \"key\" of the copy's home, and type  zsync repair  there"
	}
	return "does what no zsync does"
}

// Offended tells the link of an offence. It is a fact, not a judgement of people: a
// damaged disk, a copied home or an old version can be behind it.
type Offended struct {
	Device zsync.DeviceID
	What   Offence
}

// Noticed tells the owner what a person should hear of a device, for the log.
type Noticed struct{ Name, Why string }

// OffenceStatus is one kind of offence of one device.
type OffenceStatus struct {
	Device zsync.DeviceID
	What   Offence
	Count  int // since this device started
	Last   time.Time
}

// offencesMax bounds what is remembered; what was not seen for longest goes first.
const offencesMax = 128

// offences are what trusted devices did since the start.
type offences struct{ list []OffenceStatus }

// note reports whether that is new of the device.
func (o *offences) note(now time.Time, in Offended) (fresh bool) {
	i := slices.IndexFunc(o.list, func(s OffenceStatus) bool { return s.Device == in.Device && s.What == in.What })
	if fresh = i < 0; fresh {
		if len(o.list) == offencesMax {
			o.forgetOldest()
		}
		o.list = append(o.list, OffenceStatus{Device: in.Device, What: in.What})
		i = len(o.list) - 1
	}
	o.list[i].Count++
	o.list[i].Last = now
	return fresh
}

func (o *offences) forgetOldest() {
	oldest := 0
	for i := range o.list {
		if o.list[i].Last.Before(o.list[oldest].Last) {
			oldest = i
		}
	}
	o.list = slices.Delete(o.list, oldest, oldest+1)
}

// offended tells the link what the device of a space did. The own device's doings
// are told elsewhere.
func (s *space) offended(who zsync.DeviceID, what Offence) {
	if who != s.keys.Device() {
		s.emit(Address{Part: Link}, Offended{who, what})
	}
}

// lost tells the link that this device has forgotten what it said in a space.
func (s *space) lost() {
	s.emit(Address{Part: Link}, Offended{s.keys.Device(), OffenceRestored})
}

// offended notes what a device did, this one included. Where a person has to do
// something about a home, the log says so too, once.
func (l *LinkMachine) offended(now time.Time, in Offended) {
	if !l.offences.note(now, in) || in.What != OffenceClone && in.What != OffenceTwin && in.What != OffenceRestored {
		return
	}
	name := l.cfg.Name
	if record, known := l.trust.ByDevice(in.Device); known {
		name = record.Name
	}
	l.emit(Address{Part: Owner}, Noticed{name, in.What.Why()})
}

// misdeed notes that the owner of a key did wrong, if it is a device that is known.
func (l *LinkMachine) misdeed(now time.Time, key zsync.Key, what Offence) {
	if record, trusted := l.trusted(key); trusted {
		l.offended(now, Offended{record.Device, what})
	}
}
