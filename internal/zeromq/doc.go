// Package zeromq carries a device's messages: it is the only package that
// imports the ZeroMQ binding, and it knows nothing of what the messages say.
//
// A [Context] is made once. It holds who may connect ([Context.SetTrusted],
// [Context.SetPending], [Context.SetRevoked]) and tells of those who may not ([Context.Attempts]). A
// [Link] is one listening socket and the connections that it dials; a device has
// two, the ZRE link and the transfer link, which differ in their [Config].
// Orders go in by [Link.Do], and [Fact]s come out of [Link.Facts]. Nothing here
// decides: what to dial, and when again, is the business of zre and filemq.
//
// The invariant: a message is delivered only on a connection whose other end has
// proved to hold [Fact.Key], a key that was trusted when it connected and has
// been ever since (or a pending one, on a link that admits those). In plain mode, for other ZRE programs, no key is proved and
// Key is zero; a secure link never falls back to it.
//
// # Connections
//
// A connection is one TCP connection, and has a number that is never used again.
// It carries messages both ways, in order, and ends with one Closed or [BadKey]
// fact, unless an order hung it up. It is never silently replaced: libzmq's
// reconnecting is off. Both ends therefore agree on what a connection is.
//
//	dialled    Dial ─> Opened ─> Received … ─> Closed
//	           Dial ─> Closed or BadKey
//	incoming            Received … ─> Closed
//
// An incoming connection shows with its first message. One that has none within
// five seconds of being accepted is cut, so whoever dials must speak first. Where
// too many are silent the oldest of them are cut sooner: those who connect may have
// an eighth of the process's descriptors before they have proved themselves, and a
// quarter in all (room.go). One key may have 16 connections.
//
// libzmq hides connections behind routing ids, which clients choose. A number is
// tied to its connection by the ZAP handler (the door): it adds the number to
// the metadata of the connection that it admits, and libzmq attaches that to
// every message. The same metadata names the descriptor of the TCP connection,
// and the events of the socket's monitor name it too; that tells when an
// incoming connection has ended, and which TCP connection to shut down to hang
// one up, for which libzmq has no call. ACCEPTED is told by another thread than the
// rest, and may come after the first message, or after the end (accepted.go).
//
// A restarted device needs its old routing id at once (ROUTER_HANDOVER), and so
// any admitted device can claim that of another. Received messages are not
// affected, they are known by number. What is sent goes by routing id: while
// another device has been admitted and not yet been heard, nothing is sent on
// incoming connections of a link with handover (see contested in reply.go). A
// device that is admitted and says nothing is kept out for a minute, and so is one
// that took the routing id of another key's connection and was hung up for it.
//
// # Why a dial failed
//
// What the monitor of a DEALER (libzmq 4.3.4) tells, found by experiment:
//
//	nothing listens       CONNECT_DELAYED, CLOSED                             ErrUnreachable
//	wrong SERVERKEY       CONNECTED, at once HANDSHAKE_FAILED_NO_DETAIL       BadKey, see below
//	                      with EPIPE or ECONNRESET, DISCONNECTED
//	key unknown there,    CONNECTED, after HANDSHAKE_IVL (3 s)                ErrUnanswered
//	ZAP 300               HANDSHAKE_FAILED_NO_DETAIL with another errno
//	key revoked there,    CONNECTED, HANDSHAKE_FAILED_AUTH with 400           ErrRefused
//	ZAP 400
//	a plain ZMTP server   CONNECTED, HANDSHAKE_FAILED_PROTOCOL, or            ErrProtocol
//	                      NO_DETAIL with EPIPE, whichever side is first
//	no ZMTP (HTTP)        CONNECTED, DISCONNECTED                             ErrProtocol
//	silence               as ZAP 300                                          ErrUnanswered
//	accepts, hangs up     as a wrong SERVERKEY                                ErrUnreachable
//
// A server that holds another key cannot read the client's HELLO and hangs up
// without a word; so does a forwarder with nothing behind it, and a server that
// is going down. Therefore a handshake that the other side broke off is followed
// by a probe, which greets and sends a HELLO of its own: no greeting, and it
// was nobody; WELCOME, and the key is right; a greeting and then the end, and it
// is another key. It costs one more TCP connection, and only then.
//
// The server's monitor does not name the client of a handshake that failed, only
// a descriptor, whose other end is asked of the system while it is still open.
//
// # Threads
//
// One goroutine, locked to its thread, owns all sockets of a link. It waits in
// zmq_poll and reads at most 64 messages or 8 MiB of a socket in a turn, and
// what it read in one turn is one batch of facts. While nobody takes facts it
// waits for that instead, carries out orders meanwhile, and lets TCP hold the
// peers back. Names are looked up in goroutines of their own; libzmq would do it
// in the thread that encrypts for everybody.
//
// Frames are received into buffers that [Link.Recycle] gives back, by a few
// lines of cgo next to the binding, which has no such call: 3.8 CPU-s a GiB
// instead of 4.8 with 1 MiB frames and CURVE, both ends together
// (BenchmarkTransfer). Long frames whose owner waits for them ([Send]) are lent to
// libzmq where they lie, pinned, until it has encrypted them (lent.go). The C library is told to keep the memory of messages
// (malloc.go): between two processes that is 1 CPU-s a GiB of page faults less.
//
// # What libzmq leaves open
//
// MAXMSGSIZE bounds a frame, not the number of frames: what a device sends as one
// endless message is held in memory until it ends, and nobody is told. The marks
// (HWM) count messages, which may be long. So the octets that TCP has carried are
// compared with those that were read and written (backlog.go), on Linux, which can
// tell: a connection is closed when more than 64 MiB wait to be sent on it, or when
// libzmq holds more than 96 MiB of what came in. The latter is looked at once a
// second, so what a fast line brings in a second comes on top.
//
// An assertion that fails in libzmq ends the process.
package zeromq
