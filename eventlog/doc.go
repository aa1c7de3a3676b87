// Package eventlog is the replicated, signed log of one space: what happened,
// who said so, and how two devices come to hold the same of it.
//
// A [Log] is the events of one space, kept in a few buckets of a database that
// the caller opens. [Log.Append] signs and stores an event of this device;
// [Log.Merge] takes events from anywhere, in any order and any number of times.
// An [Exchange] is the conversation about one space with all linked peers; it
// says which messages to send and merges what they bring. Neither opens a
// transaction, reads a clock or rolls dice: given the same facts they write the
// same octets. The formats are in docs/formats.md, sections 1 to 3.
//
// # Events
//
// Events form one chain for each writer, which is a signing key of one device
// in one space; seq counts the chain without gaps. Beyond its own chain an
// event names the tips of other chains that its author knew (deps) and the
// membership events that give the author its right (auth):
//
//	writer A   1 ── 2 ── 3 ─────── 4      prev: one to the left
//	                 ╲            ╱
//	writer B          1 ── 2 ── 3         deps: across
//
// An event is stored once everything that it names is there; until then it is
// parked, within bounds, and what was lost from there is asked for again. So
// the log always holds the whole past of all that it holds, and one number for
// each writer, the frontier, says what that is.
//
// # What counts
//
// The meaning of a log is a function of the set of its events, never of the
// order in which they came. An event is void, kept but without meaning, when its
// author had no right to it ([Authority]) or when it lies past the cut of its
// writer. A writer is cut where it signed two events with one seq: the last
// event before the lowest proven pair is the last that counts, for everyone.
// The proof is itself an event, and a message besides. What rests on an event
// past a cut has all that it needs: no device has to hold both branches.
//
// A device has at most 256 writers that count, those with the lowest ids. Others
// stand as if they were cut before their first event, so that a device that opens
// writers without end takes nobody's room but its own.
//
// Only cuts take meaning back. [Merged].Refold then says that what was folded
// must be folded anew. A hostile author can prove its forks one by one, so after
// a few such cuts an [Exchange] keeps further proofs aside and lets them take effect
// together, after pauses that grow: until then it is as if they had not come.
//
// # Buckets
//
//	meta    name                            schema, space, founder, membership frontier
//	writers index u32                       the writer's state, CBOR
//	log     index u32, seq u64              envelope
//	order   lamport u64, writer 16, seq u64 index u32: the total order
//	hash    event id 16                     index u32, seq u64, rest of the id
//	void    index u32, seq u64              not admitted
//	forks   writer 16                       the lowest proof, and the event that carries it
//	held    writer 16                       a lower one that has not taken effect yet, likewise
//	beyond  event id 16                     envelope past a cut that an auth names; opening of a writer that does not count
//	park    missing id 16, event id 16      arrival u64, checks made, what to ask for, envelope
//
// A Log keeps the writers and the outline of the parked events in memory. After
// a transaction that did not commit, the caller drops the Log and its Exchange
// and opens them again.
package eventlog
