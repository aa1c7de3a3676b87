// Package replica is one folder's copy on this device: what it should be, what
// it is, and what to do about the difference.
//
// A [Replica] is a machine. It takes facts (events that were stored in the log,
// directories that were listed, files that were hashed, changes that were
// applied) and gives orders ([Output]: read this, fetch that, change the tree
// so). It reads no clock, opens nothing and touches no file; all that must
// survive is in the database whose transaction each fact brings along, and an
// Output counts once that transaction has been committed.
//
// # Two states
//
// L is what the folder should be, by its log alone. D is what this disk has, and
// how it looked when that was last known. They meet in two places only:
//
//	events ──fold──▶ L ──compare──▶ changes ──applied──▶ D      what others did
//	                 ▲                                   │
//	                 └──── operations ◀──compare with the disk   what was done here
//
// So a deletion made here is what D has and the disk has not; that L has more
// than D only means that it is not applied yet. D is never inferred from L. A
// lost D is an empty one: the scan that follows creates, and equal contents
// collapse, but it can delete nothing. L can be dropped and folded again from
// the log at any time, and gives the same.
//
// # L: nodes, versions, places
//
// An fs event carries a [Body] of operations ([Op]). They speak of nodes, not of
// paths: a file keeps its node through every rename, so that renaming a
// directory of any size is one operation. A Put writes a version, a Move gives
// the node another place, and both name the versions that their author had on
// the disk and no longer wants: those they supersede. What nobody has superseded
// is a head. Two heads mean that two people wrote without knowing of each other.
//
// What L is, is a function of the set of folded events: they may come in any
// order. Nothing is replayed or undone when an old one comes late, since every
// part of a node's record is of a kind that does not mind:
//
//	heads    versions written, less versions superseded; what was superseded before
//	         it came is noted until it does
//	moves    all of them, the newest being in force
//	base     the oldest create
//	mode     the newest one
//
// What is shown is computed from that, the same on all devices, and is never
// itself logged:
//
//   - The newest version is at the node's name; any other is a conflict copy
//     beside it. Equal contents are one version.
//   - A Move leaves a weak head, which counts only where there is no other: a
//     rename survives a removal elsewhere, and is no conflict with an edit.
//   - A node is a directory if one was made, or as long as something visible is
//     in it. It is visible if it has a head or something visible is in it. So
//     nothing that somebody wrote is ever hidden.
//   - Where directories were moved into each other, the youngest of the moves
//     yields to the place before it.
//   - Of several nodes with one name the oldest claim keeps it, directories
//     first; the others get a few digits of their ids.
//
// The fold does this a record at a time: it changes the records that an event
// speaks of, finds again the places of directories that may lie in a cycle,
// moves visibility up the tree where it turns, and marks as dirty each node that
// may look different now, neighbours whose names depend on it included. The
// tests hold it against an oracle that computes everything from scratch.
//
// # D: scan, compare, apply
//
// A scan lists directories and joins them with D in name order. What differs is
// hashed, and becomes operations that supersede the versions that D has: what
// the user saw when he changed it. The caller appends them to the log, and D
// takes them in the same transaction.
//
// The other way, dirty nodes are compared with D. Contents that this disk lacks
// are wanted from peers, or copied when it has them elsewhere. When they are
// staged and durable, a batch of changes is written down as intents, carried
// out, and becomes D. Each change says how the file must look for it to be
// touched ([store.Change]); where it does not, the user was quicker, and a scan
// finds out what he did. After a crash the intents are carried out again. While the
// disk carries out a batch that only makes what was not there, the next one of that
// kind may be ordered: neither rests on the other ([underWay]).
//
// # The brake
//
// What would take more than 50 files and a fifth of the folder out of the visible
// tree, by one author in one day of running time, waits for a person. Found here,
// it stays a finding and is not logged; logged elsewhere, it is in L like all else,
// and this disk does not follow. A confirm event lets it through on all devices.
// What is counted and what waits is in the database, so no restart forgets it.
//
// # What it leaves to others
//
// Whether an event counts: eventlog and security. Bytes, and every touch of
// users' files: store. From whom to fetch: the device.
package replica
