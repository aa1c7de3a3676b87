// Package failpoint ends the process, without warning, at a named place of the
// code that writes to a disk: so a test can show that what was written before is
// enough to go on from.
//
// [Reach] says that a place was come to. In a release it is an empty function,
// which the compiler takes out; internal/archtest looks that none is left. Built
// with the tag failpoint it counts, and kills this process by SIGKILL when the
// environment says so:
//
//	ZSYNC_FAILPOINT=rename:17    at the 17th time that a rename is come to
//
// SIGKILL takes the process and leaves what the kernel holds. That a loss of power
// is survived too is shown by store/crashfs and internal/sim.
package failpoint

// Point is the name of a place. It may be one place or several alike.
type Point string

// The places, in the order in which a change comes through them: from this disk
// into the log, and from the log of another device to this disk.
const (
	Hash         Point = "hash"          // a file was hashed, and nobody knows yet
	BeforeCommit Point = "before-commit" // a transaction is complete but for its commit
	AfterCommit  Point = "after-commit"  // it was committed, and nobody knows yet
	Staging      Point = "staging"       // a piece was written to staging, others were not
	Intent       Point = "intent"        // what will be done to the folder is durable, none of it is done
	Exchange     Point = "exchange"      // new bytes have their name, those that had it are not kept yet
	Rename       Point = "rename"        // one change of a batch was made, the next was not
	DiskCommit   Point = "disk-commit"   // all of a batch is done and durable, what is on disk not committed
)
