// Package sim runs whole devices in virtual time: the same machines as in
// production, glue included, on a network, databases and disks in memory.
//
// A [World] has one heap of events and one random source, so a seed decides
// everything that happens: a failure is a seed. Devices can lose power at any
// step of their disks ([World.Crash], and by themselves when told to), links can
// be cut and ports closed, and a [Workload] plays the people who use the files. A
// [Nemesis] does all that is in [Faults], and counts what it did.
//
// The checkers ([World.Converged], [Ledger]) watch from outside: they read what is
// on the disks and know nothing of the machines.
package sim
