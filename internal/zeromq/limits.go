package zeromq

import "time"

// firstIncoming is the least number of an incoming connection; those below it
// are for the ones that are dialled.
const firstIncoming = 1 << 32

// What a link keeps in memory and how much it does in one go.
const (
	messageBytesDefault = 1 << 20  // a ZRE frame with one EVENTS message fits
	sendDefault         = 4096     // messages: a back-stop, since what is sent is bounded by the peer's credit
	receiveDefault      = 64       // messages: what does not fit waits in the peer's TCP window
	queueBytesMax       = 64 << 20 // octets for one connection in orders not yet carried out, and again in libzmq: above all credit
	unreadBytesMax      = 96 << 20 // octets of one connection that libzmq holds unread: receiveDefault of the longest, and what TCP buffers
	framesMax           = 64       // frames of one ZRE message
	wholeFrames         = 4        // of the longest frames, what all frames of a message may be together
	roundMessagesMax    = 64       // messages read from one socket before the others have their turn
	roundBytesMax       = 8 << 20  // octets, likewise: one window of the transfer
	factsQueued         = 4        // batches that wait for a reader before the link stops reading sockets
	socketsMax          = 4096     // accepted TCP connections a link; fewer where there are few descriptors: see room
	silentMax           = 512      // of them, that have not said anything yet
	silentOfOneMax      = 64       // of these, of one address
	keyConnsMax         = 16       // that speak, of one key: an honest device has two
	namesMax            = 1024     // names dialled whose next address is remembered
	linkSocketsMax      = 16384    // ZeroMQ sockets a context: three a dialled connection
	ioThreadsMax        = 4        // one encrypts about 0.5 GiB/s
	busyWakes           = 16       // a link that has waited so often within busyTime is busy
)

// How long a link waits.
const (
	connectTimeout   = 5 * time.Second        // for a name to resolve, and for TCP to connect
	handshakeTimeout = 3 * time.Second        // for ZMTP and CURVE, once TCP has connected
	silenceTimeout   = 5 * time.Second        // for the first message of an accepted connection; above handshakeTimeout
	dialTimeout      = 14 * time.Second       // for all of that, whatever libzmq reports or fails to report
	lingerTimeout    = 200 * time.Millisecond // for what was sent just before a hang-up to leave
	graveTimeout     = 10 * time.Second       // while late messages of a closed connection are known and dropped
	shunTimeout      = time.Minute            // a device that connected and said nothing is kept out
	unreadEvery      = time.Second            // between two looks at what libzmq holds unread
	acceptedEvery    = 20 * time.Millisecond  // between two looks at who connected, while nobody takes facts
	busyTime         = time.Second            // see nap
	reconnectNever   = time.Hour              // see dialled.go
)

// Dead peers are found by the ZRE liveness rules; keepalive only frees what
// they left here.
const (
	keepaliveIdleSeconds  = 30
	keepaliveEverySeconds = 10
	keepaliveProbes       = 3
)

// Strangers.
const (
	attemptsQueued   = 64              // attempts that nobody has taken
	attemptsKnown    = 1024            // addresses and keys remembered, to coalesce
	attemptEvery     = 1 * time.Second // at most one report of the same stranger
	strangersASecond = 10              // failed connections of one address before new ones are cut at once
)
