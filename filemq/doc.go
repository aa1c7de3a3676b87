// Package filemq is the transfer protocol: it moves the bytes that one device
// lacks and another has, and it knows no files. What an item's bytes are and
// whether the peer may have them is decided by the caller; filemq decides what
// may be sent, when, and in which order.
//
// The protocol is FILEMQ (https://rfc.zeromq.org/spec/35, in the form that the
// C code speaks it) with an extension that both ends announce in their greeting.
// Of FILEMQ it keeps the envelope, the greeting, the heartbeat and the credit,
// NOM. In place of a server that pushes files by name, each end pulls items by
// their digest, and after the greeting the two ends are equal: one connection
// serves both ways, whoever dialled it.
//
//	fetcher                                provider
//	   | NOM credit ------------------------> |  the only permission to send
//	   | GIMME req, items ------------------> |  the permission to queue
//	   |                                      |  reserve credit, then order the Read
//	   | <------- BUKKIT req, items with data |  Supplied
//	   | <------- NOEZ req, items with a code |  Refused
//	   | NVM req, BUMP req prio ------------> |  forget it; hurry, or do not
//
// A frame is one message:
//
//	AA A3 | id u8 | fields        integers unsigned, big-endian
//
// # The types
//
// A [Command] is one frame as a value; [Encode] and [Decode] are the codec, and
// the only door to a Command for octets from a peer. A [Session] is one end of
// one connection, a machine that does nothing by itself: tell it what happened
// (Received, Supplied, Disposed …), then carry out its [Output]. It reads no
// clock: whoever drives it calls Advance when Deadline comes.
//
// # The invariant
//
// An item of n octets costs n + 64, also when it travels compressed. At each instant, on every connection and in
// both directions,
//
//	cost sent + cost reserved for reads <= credit granted
//	credit granted - cost disposed of   <= the fetcher's window
//
// so the memory that a transfer takes at either end is bounded by the window,
// whatever the sizes, the disks and the network do. And because a window holds
// at least two of the largest items and credit is given back before a quarter of
// it is missing, the provider's next item always fits once the fetcher has
// disposed of what it has: nothing stalls. Both sides of the ledger are in
// credit.go.
//
// Each item that was asked for is answered exactly once, by a [Got] or a
// [Missing], also when the session closes.
//
// # What is left to others
//
// Sockets, encryption and who may connect; how many sessions a peer may have;
// verifying digests (tell BadItem); asking another peer for what is Missing.
// FILEMQ's own file commands are here as a codec only: a session refuses a peer
// that does not announce the extension.
package filemq
