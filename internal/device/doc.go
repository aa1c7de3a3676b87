// Package device is one whole device: the machines that decide everything, the
// switch between them, and the loops that run them.
//
// [LinkMachine] is the door to other devices: who is here, who is trusted,
// pairing, and the sessions that move bytes. [HomeMachine] keeps what the device
// is by itself and the log of its circle. A [FolderMachine] keeps one folder: its
// log, what should be on the disk, what is on it, and the fetching of the rest.
// Each takes facts and orders in turns and gives back [Effect]s, each with the
// [Address] of the part that it is for; messages.go and diskmessages.go list every one of them.
//
// The invariant: an Effect is handed out only after the commit that it rests on.
// So nothing leaves the device, and nothing on its disk is touched, that a power
// cut could make it forget.
//
// [Running] steps the machines in production, each in a goroutine of its own (run.go);
// one more opens and closes the folders (owner.go), and what a person asks of a folder
// is put to its machine between two turns (folders.go). internal/sim steps the same
// machines in virtual time. Sockets and disks are left to whoever gives a [Host].
package device
