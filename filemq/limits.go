package filemq

import (
	"time"

	"github.com/zsync/zsync"
)

// The sizes that both ends of a session agree on by speaking version 1 of the
// extension. A peer may announce more, never less.
const (
	// ItemBytesMax is the largest item that can be asked for, in octets.
	ItemBytesMax = zsync.ContentChunkMax
	// ItemCostBytes is what an item costs in credit beside its octets on the
	// wire: its header, and the peer's trouble with it.
	ItemCostBytes = 64
	// FrameBytesMax is the longest frame of a session, in octets: a full BUKKIT
	// and room to spare. It is the MAXMSGSIZE of the sockets.
	FrameBytesMax = 1179648
	// RequestItemsMax is how many items one GIMME may name.
	RequestItemsMax = 1024
	// RequestsMax is how many requests may be open at once in each direction.
	RequestsMax = 256
	// PriorityLowest is the priority of what is never urgent; 0 is the most urgent.
	PriorityLowest = 7
)

const (
	itemCostMax = ItemBytesMax + ItemCostBytes
	windowMin   = 2 * itemCostMax // less could stall: see window

	bundleItemsMax  = 256        // items of one BUKKIT
	bundleBytesMax  = 1 << 20    // octets of data of one BUKKIT
	bundledBytesMax = 128 << 10  // an item above this travels alone
	priorityUrgent  = 1          // and what is more urgent: see RoomFor
	requestsKept    = 16         // of RequestsMax, for what is urgent
	itemsKept       = 128        // of QueueMax, for the same
	greetingMax     = 4<<10 + 12 // octets of a frame before the session is open
	badItemsMax     = 3          // the third item that is not what was asked for closes
	stallsMax       = 3          // the third stall in a row closes
	lowestTurn      = 16         // each 16th pick goes to the least urgent request
)

const (
	greetAfter   = 10 * time.Second // a peer that has not greeted by then is gone
	hugAfter     = 10 * time.Second // of own silence while requests are open
	deadAfter    = 30 * time.Second // of the peer's silence while requests are open
	stalledAfter = 60 * time.Second // without any answer though credit would do for one
	hugzApart    = time.Second      // HUGZ that come faster are not answered
	everyReq     = 1<<32 - 1        // in NVM: all requests
	protocol     = "FILEMQ"
	protocolNum  = 2
)

// Config is what a session may use. The zero Config works.
type Config struct {
	// Window is the credit that this end keeps granted to its peer: the most
	// octets (64 more an item) that can be on their way here, or here and not yet
	// disposed of. To fill a link it should be twice bandwidth times round trip:
	// 8 MiB, the default, fills 1 Gbit/s up to 30 ms. At least two of the largest
	// items, and never above either end's WindowMax.
	Window int64
	// WindowMax is the most credit that this end accepts from its peer, and so
	// the most memory that serving this session can take. Default 64 MiB.
	WindowMax int64
	// QueueMax is how many items the peer may have waiting here, and how many
	// this end asks for at once if the peer allows it. Default 4,096; at least
	// RequestItemsMax.
	QueueMax int
	// Compress offers zstd to the peer, and uses it while the line to the peer is
	// slow, for items that the peer lets be compressed and that shrink by a
	// twentieth or more. On a fast line it costs nothing.
	Compress bool
	// Rationed leaves it to the caller to order reads and to give credit, with
	// Order and Grant. Default: both are done as soon as they can be.
	Rationed bool
	// BesideMax is how many sessions each end may open beside the first; 0: none, and
	// the peer does not hear of it.
	BesideMax int
	// Beside is set for such a session by the end that opens it.
	Beside bool
}

func (c Config) withDefaults() Config {
	if c.WindowMax == 0 {
		c.WindowMax = 64 << 20
	}
	if c.Window == 0 {
		c.Window = 8 << 20
	}
	if c.QueueMax == 0 {
		c.QueueMax = 4096
	}
	c.WindowMax = max(c.WindowMax, windowMin)
	c.Window = min(max(c.Window, windowMin), c.WindowMax)
	c.QueueMax = max(c.QueueMax, RequestItemsMax)
	return c
}
