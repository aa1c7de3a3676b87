// Package store is one folder's tree on disk: it lists, hashes, stages and
// applies, and keeps what it replaces. It is the only package that touches
// users' files, and it holds no index: what should be where is decided by
// replica and told to store as [Change]s that say what they expect to find.
//
// A [Root] is an open folder. It reads with [Root.List], [Root.Hash] (the name of a
// content, and its chunks, in one read) and [Root.Read]; each says so when a file did
// not hold still. Received bytes go to staging: [Root.Stage], or from this disk
// [Root.Assemble] and [Root.Copy]; [Root.Flush] makes them durable. [Root.Apply]
// then carries out a batch of changes. Beneath lies an [FS], the one door to the
// disk: [OpenOS] opens the operating system's, package crashfs one that loses power.
//
// What holds, at every instant and after a crash at any step:
//
//   - a name leads to all of the old bytes or all of the new. New bytes are
//     verified, durable, and have their mode and time before they get a name, and
//     get it by one rename;
//   - bytes of a user are never overwritten and never unlinked, only moved: to the
//     versions area, and only when they are still what the change expects. That
//     is looked at before the move and after it; where a user was faster, the move is
//     taken back, and the answer is [ErrDiverged];
//   - nothing is followed, made or moved outside the root: no symlink, no "..", no
//     mount point, and no name of the private directory;
//   - a batch that was interrupted can be redone: what was done is found out from
//     the disk alone.
//
// Where the disk cannot trade two names in one step (RENAME_EXCHANGE), a name that
// is replaced leads nowhere for a moment; after a crash in that moment redo mends it.
//
// The private directory:
//
//	.zsync/id                      which folder this is: 32 hex digits
//	.zsync/lock                    held while it is open
//	.zsync/tmp/0 … 7/<content>     staging; any of it may be removed
//	.zsync/tmp/swap/<slot>         trading places with a user's file; none may
//	.zsync/parked/<name>           between two names; none may
//	.zsync/unlocked/<tag>          directories that are writable while a batch is applied
//	.zsync/versions/000012/000012345~name   what was replaced or removed
package store
