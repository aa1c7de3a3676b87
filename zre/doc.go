// Package zre is ZRE, the ZeroMQ Realtime Exchange protocol (36/ZRE version 2,
// and 43/ZRE's CURVE keys), as a machine without sockets: it tells who is here,
// who is in which group, and carries small messages between nodes that need no
// server to find one another.
//
// There is one type to know, [Node]. The driver that owns the sockets tells it
// facts ([Node.Received], [Node.Opened], [Node.Closed]) and the application
// tells it wishes ([Node.Require], [Node.Join], [Node.Whisper]); what has to be
// done about either is in its [Output]. A node reads no clock, rolls no dice
// and starts no goroutine, so thousands of them run in one test, which is a goal
// of the RFC itself. [Beacon] is the datagram of those who look for neighbours,
// and [Command] a message, for programs that want to speak for themselves.
//
// # A conversation
//
// A node has one ROUTER socket, which others dial, and one DEALER for each
// connection that it dials, whose routing id is an octet 1 and its UUID. The
// first command on every connection, in each direction, is HELLO:
//
//	A                                     B
//	| dial B                              |
//	| HELLO 1  endpoint, groups, status   |
//	|------------------------------------>|
//	|                                     | dial A
//	|                            HELLO 1  |
//	|<------------------------------------|   Enter A
//	| Enter B                             |
//	| JOIN 2 room              WHISPER 2  |
//	|------------------------------------>|   Join A room
//
// That is the RFC's way, and C Zyre's: every node dials every other and speaks
// on the connection that it dialled. Nodes that put X-ZSYNC into their headers
// are duplex: they read the connections that they dial. Such a node is answered
// where it called, which reaches it behind a router that lets nothing in:
//
//	A  dial B | HELLO 1 -->                 B   Enter A
//	           Enter B      <-- HELLO 1
//
// While two connections join a duplex pair, both nodes speak on the one that
// the node with the lower CURVE key dialled. It takes effect by a HELLO there,
// which the application does not see; the other is hung up ten seconds later.
//
// # The frame
//
//	AA A1 | id u8 | 02 | sequence u16 | fields
//
//	 1 HELLO    endpoint, groups, status u8, name, headers
//	 2 WHISPER  then content frames             6 PING      7 PING-OK
//	 3 SHOUT    group; then content frames      8 ELECT     group, UUID text
//	 4 JOIN     group, status u8                9 LEADER    group, UUID text
//	 5 LEAVE    group, status u8               10 GOODBYE
//
// Integers are big-endian. A string has a one-octet length; in the lists of
// HELLO (groups; headers, a string and a value each) there is a count u32 and
// strings have lengths of four octets, but for the names of headers.
//
// # What holds
//
// Commands on a connection are numbered without a gap from its HELLO on, and so
// are a node's changes of group, by their status. Hence the invariant: for every
// peer that the application was told of, the groups told are those that the peer
// was in at the last command read, and if anything was lost on the way, the node
// knows. It then asks for a new HELLO, on a new connection where it can, at most
// once a second and ever more slowly if that does not help. The application sees
// [Resumed] afterwards, since messages may be missing, but no [Exit]: that takes
// GOODBYE, silence for Config.Expired, or [Node.Drop].
//
// Two nodes that answer each HELLO by another would never stop. An unexpected one
// soon after our own is therefore answered by PING: a peer that says PING-OK has
// heard us.
//
// In secure mode a UUID belongs to the CURVE key that first used it, whichever
// connection a message comes by, and a HELLO must name its key. A new UUID with
// a known key is that node's next run: Exit, then Enter. Whether a key may speak
// at all is for the driver's ZAP handler to say. One that may speak only to prove
// itself is confined ([Node.Confine]): it is told no groups, and of what it says
// only HELLO, WHISPER, PING, PING-OK and GOODBYE count.
//
// # Towards C Zyre
//
// The package says nothing that Zyre cannot bear: it counts its status exactly
// (Zyre aborts otherwise), never sends a message without content frames, and
// passes elections on, in which it does not stand. It bears what Zyre says:
// commands before a HELLO, trailing octets, unknown commands, a HELLO from a peer
// that was ready. It departs from Zyre where Zyre is known to hurt: silence is
// told once instead of every second, a lost frame expels nobody, GOODBYE is said
// and honoured in every mode, and an endpoint that is a host name or 0.0.0.0 is
// not dialled: the address that the peer speaks from is.
//
// Left to others: sockets, encryption, sending beacons, deciding whom to trust.
package zre
