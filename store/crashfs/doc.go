// Package crashfs is a disk in memory that can lose power. It keeps the contract
// of [store.FS] and, beside what is there, what would be left: bytes that were not
// synced are lost or torn, names that were not synced are lost, and only the order
// of what happened to one name is kept.
//
// An [FS] is what the running program sees. [FS.CrashAt] cuts the power at a chosen
// step: from then on every call fails with [ErrCrashed]. [FS.Crash] returns the
// disk as a later start may find it; which of the many ways that is, the seed says,
// so that a failure can be had again. [User] is a person at the same disk, whose
// changes are no steps.
//
// What it assumes of a file system, and what nearly every one in use keeps: a
// rename is there wholly or not at all, and changes of one and the same name
// happen in order. It assumes no order between different names, nor between a
// file's bytes and its name, nor that a file's bytes last because its name does.
package crashfs
