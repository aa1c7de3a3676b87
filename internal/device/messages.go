package device

import (
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/filemq"
	"github.com/zsync/zsync/security"
	"github.com/zsync/zsync/store"
	"github.com/zsync/zsync/zre"
)

// Part says which part of a device, or of the world outside it, an Effect is for.
type Part uint8

// The machines of a device, and the drivers that carry out their orders.
const (
	Link     Part = iota + 1 // the link machine
	Home                     // the circle and the device's own settings
	Folder                   // the folder machine of Address.Space
	Mailbox                  // the ZRE sockets: NetOrders
	Transfer                 // the transfer sockets: NetOrders
	Gate                     // who may connect: Admission
	Disk                     // workers on the folder of Address.Space
	Owner                    // who runs the machines: OpenFolder, CloseFolder, WriteTrusted
)

// Address names one part; Space is set for Folder and Disk.
type Address struct {
	Part  Part
	Space zsync.SpaceID
}

// Effect is an order or a fact on its way from a machine to another part. It
// is released only after the commit that it rests on.
type Effect struct {
	To   Address
	What any
}

// Facts from the sockets, and orders to them. The same types serve both links.
type (
	// NetKind says what happened to a connection.
	NetKind uint8
	// NetFact is one thing that the sockets saw.
	NetFact struct {
		Kind    NetKind
		Conn    zre.Conn
		Key     zsync.Key // authenticated; zero for a dialled connection
		Address string    // IP of the other side
		// Identity is the routing id that an incoming connection chose; nothing proves it.
		Identity []byte
		Frames   [][]byte
		Err      error
		// Release, where set, gives the memory of Frames back. It is called at most
		// once, when nothing refers to them any more; nobody has to.
		Release func()
		// Path is set in a NetPath.
		Path Path
	}
	// Path is how a connection of the transfer link has fared for about a second, in
	// segments of TCP, where the system tells.
	Path struct {
		RoundTrip, LeastRoundTrip time.Duration // smoothed now, and the least of the last minutes
		Sent, Resent              int           // of those with data
		Received, Disordered      int           // Disordered: while another was missing before it
		Steady                    bool          // a lost segment does not slow down what is sent
	}
	// MailboxFacts come from the ZRE sockets.
	MailboxFacts []NetFact
	// TransferFacts come from the transfer sockets.
	TransferFacts []NetFact
	// NetOrders are carried out in the order of the fields.
	NetOrders struct {
		Dial   []zre.Dial
		Send   []zre.Send
		Hangup []zre.Conn
	}
	// Admission is the whole list of who may connect: Trusted keys on both links,
	// Pending ones, whose owners have not proved themselves, on the mailbox alone.
	Admission struct{ Trusted, Pending, Revoked []zsync.Key }
	// Knocked says that a stranger was turned away.
	Knocked struct {
		Key     zsync.Key // zero when the handshake failed before it was known
		Address string
	}
)

// What can happen to a connection.
const (
	NetReceived NetKind = iota + 1
	NetOpened           // a dialled connection completed its handshake
	NetClosed           // a connection was lost or refused
	NetBadKey           // the device at the dialled address has another key
	NetPath             // how a connection of the transfer link fares
)

// What folders and the circle say to the link, and hear from it.
type (
	// Enter asks the link to be in the group of a space; Quit to leave it.
	Enter struct{ Space zsync.SpaceID }
	// Quit is the opposite of Enter.
	Quit struct{ Space zsync.SpaceID }
	// Say sends a log message to one device, or (To zero) to the space's group.
	Say struct {
		Space zsync.SpaceID
		To    zsync.DeviceID
		Type  uint8
		Body  []byte
	}
	// Linked says that a trusted device is connected and in the space's group.
	Linked struct {
		Peer  security.Certificate
		Space zsync.SpaceID
	}
	// Unlinked is the opposite of Linked.
	Unlinked struct {
		Device zsync.DeviceID
		Space  zsync.SpaceID
		Heard  time.Time // when it was heard last; zero: now
	}
	// Heard is a log message from a trusted device.
	Heard struct {
		From security.Certificate
		Type uint8
		Body []byte
	}
)

// The transfer's messages.
type (
	// Item is one thing to fetch. Of zero: Hash is itself a content of at most
	// zsync.ContentChunkMax. Lists: it is a node of Of's list.
	Item struct {
		Of     zsync.Digest
		Hash   zsync.Digest
		Offset int64
		Size   uint32
		Lists  bool
	}
	// Fetch asks the link to get items of a space from whoever has them. Total is
	// the size of the content that they belong to; From, who wrote them, is asked
	// first, and beside it those that have had all of the log up to Stamp.
	Fetch struct {
		Space zsync.SpaceID
		From  zsync.DeviceID
		Stamp zsync.Stamp
		Prio  uint8
		Total int64
		Items []Item
	}
	// Had tells the link the newest log of which a linked device lacked nothing.
	Had struct {
		Space  zsync.SpaceID
		Device zsync.DeviceID
		Heads  []eventlog.Head
	}
	// Unfetch takes back all that was asked of some contents.
	Unfetch struct {
		Space    zsync.SpaceID
		Contents []zsync.Digest
	}
	// Unfetched says that no connected device has the items now.
	Unfetched struct{ Items []Item }
	// GotNodes are list nodes that came, each with the digest it was asked by.
	GotNodes struct {
		Of    zsync.Digest
		Nodes []store.ListNode
	}
	// Serve asks a folder for what a session's peer wants.
	Serve struct {
		Session zre.Conn
		Peer    zsync.DeviceID
		Reads   []ReadPart
	}
	// ReadPart is one item of a Serve.
	ReadPart struct {
		Req    uint32
		Index  uint16
		Of     zsync.Digest
		Hash   zsync.Digest
		Lists  bool
		Offset int64
		Size   uint32
	}
	// Supply answers a Serve: data, or a code where there is none.
	Supply struct {
		Session zre.Conn
		Parts   []SupplyPart
		// Release, where set, gives the memory of the parts back once the session has
		// taken them. The loop calls it, never the machine.
		Release func()
	}
	// SupplyPart is one answer.
	SupplyPart struct {
		Req   uint32
		Index uint16
		Data  []byte
		// Frame, where set, is the memory that Data ends in, filemq.Headroom octets before
		// it: Data may be sent from where it is. Done is called then, once it was.
		Frame []byte
		Done  func()
		Code  filemq.Code
	}
	// Disposed says that received data needs no memory any more: its credit returns.
	Disposed struct {
		Session zre.Conn
		Cost    int64
		Bad     int // items whose digest did not match
		// Lost are items of contents of Total octets that were dropped and must come
		// from others than Peer.
		Space zsync.SpaceID
		Peer  zsync.DeviceID
		Total int64
		Lost  []Item
	}
)

// Between home, link and the device's owner.
type (
	// OpenFolder asks the owner to open a folder's root and database and to start
	// its machine. Cache names a space whose old database lends its hashes. Same: a
	// person vouches for the directory.
	OpenFolder struct {
		Registration
		Cache zsync.SpaceID
		Same  bool
	}
	// LostRoot tells the owner that a folder's directory is gone or is another one:
	// the folder is to be closed, and opened again when its directory is back.
	LostRoot struct{ Space zsync.SpaceID }
	// CloseFolder asks the owner to stop a folder's machine.
	CloseFolder struct{ Space zsync.SpaceID }
	// WriteTrusted asks the owner to renew the text file of trusted keys.
	WriteTrusted struct{ Text []byte }
	// SaveTrust asks home to keep the trust store.
	SaveTrust struct{ Text []byte }
	// CircleIs tells the link the circle, who is in it, and how firmly this device is.
	CircleIs struct {
		Space   zsync.SpaceID
		Holds   security.Hold
		Members []security.Certificate
	}
	// Joined tells home that this device became a member of a folder, or how far
	// from it.
	Joined struct{ Space zsync.SpaceID }
	// Watch asks home to keep a folder. Same: a person vouches for the directory of
	// one that is kept, which may be another than before.
	Watch struct {
		Registration
		Same bool
	}
	// Unwatch asks home to stop keeping a folder.
	Unwatch struct{ Label Label }
	// ServeAll asks home to take every folder offered, each in a directory of Dir.
	ServeAll struct{ Dir string }
	// Pair asks the link to trust a key; Address may be "".
	Pair struct {
		Key     zsync.Key
		Address string
	}
	// Peer asks the link to dial an address; Key may be zero.
	Peer struct {
		Address string
		Key     zsync.Key
	}
	// AskProgress asks all peers how far they are, and dials those who are not here.
	AskProgress struct{}
	// Woke tells the link that this machine slept, or lost an address: what stands may
	// be dead without a word.
	Woke struct{}
	// Retry tells the link that those who are not here may be reachable now.
	Retry struct{}
	// Stop says goodbye to all peers.
	Stop struct{}
)
