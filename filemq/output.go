package filemq

import "github.com/zsync/zsync"

// Item is one piece of content to fetch: the octets from Offset on, Size of
// them, of the file that the request is about, and the digest they must have.
type Item struct {
	Hash   zsync.Digest
	Offset uint64 // octets
	Size   uint32 // octets, 1 to ItemBytesMax
}

// Request asks a peer for items of one space.
type Request struct {
	Space zsync.SpaceID
	// Of is the content that the items are pieces of. Zero: each item is a whole
	// content of its own.
	Of zsync.Digest
	// Lists says that the items are nodes of Of's list, not pieces of its data;
	// Of is not zero then.
	Lists bool
	// Prio is 0 (someone waits for it) to PriorityLowest.
	Prio uint8
	// Items are 1 to RequestItemsMax; the session keeps the slice.
	Items []Item
}

// Code says why an item did not come.
type Code uint8

// The codes of NOEZ. Numbers are format; a peer may send others up to 127.
const (
	CodeAbsent    Code = 1 // no such content in that space, or no such space for this peer
	CodeChanged   Code = 3 // its file changed on the peer's disk
	CodeQueueFull Code = 4 // too much is waiting there already; ask later
	CodeRead      Code = 5 // the peer could not read it
	CodeCancelled Code = 6 // the request was cancelled
	CodeSize      Code = 7 // no item has this size
)

// The codes that a session gives itself. They never travel.
const (
	CodeBad     Code = 128 // what came was not what was asked for
	CodeStalled Code = 129 // the peer answered nothing for a minute
	CodeLost    Code = 130 // the session closed
)

// Output is what a session wants done. The fields are carried out in order.
type Output struct {
	// Send are frames for the peer. They belong to the receiver of the Output.
	Send [][]byte
	// Reads are items to read and to answer, each by Supplied or Refused; the
	// credit for them is already reserved.
	Reads []Read
	// Got are items that came. Each must be verified, and its Cost given back by
	// Disposed once its data is stored or dropped.
	Got []Got
	// Missing are items that will not come in answer to this request.
	Missing []Missing
	// Opened is set once, when the handshake is complete: Request will work.
	Opened bool
	// Closed is why the session closed, "" while it has not. It comes once, with
	// the last Output: every item that was still asked for is in Missing, and no
	// read need be answered.
	Closed string
	// Fault is set with Closed where the peer broke the protocol.
	Fault bool
}

// Read asks this device for an item that the peer wants. Whether the peer may
// have it is for the caller to say: what it may not have is [CodeAbsent].
type Read struct {
	Req    uint32
	Index  uint16
	Space  zsync.SpaceID
	Of     zsync.Digest // zero: Hash is a content
	Hash   zsync.Digest
	Lists  bool
	Offset uint64
	Size   uint32
}

// Wanted names one item of one of this end's requests.
type Wanted struct {
	Req   uint32
	Index uint16 // its place in Request.Items
	Space zsync.SpaceID
	Of    zsync.Digest
	Lists bool
	Item  Item
}

// Got is an item that came: Item.Size octets, not yet verified.
type Got struct {
	Wanted
	Data []byte // aliases the received frame, unless it travelled compressed
	Cost int64  // octets of credit to give to Disposed
}

// Missing is an item that will not come.
type Missing struct {
	Wanted
	Code Code
}

// Counters say what a session has done so far.
type Counters struct {
	SentFrames, ReceivedFrames uint64
	SentItems, ReceivedItems   uint64
	SentBytes, ReceivedBytes   uint64 // octets of items as they travelled
	BadItems                   uint64 // received items that were not what was asked for
	Ignored                    uint64 // frames without FILEMQ's signature, and HUGZ that came too fast
}
