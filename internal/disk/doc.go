// Package disk carries out the disk orders of the folder machines with store,
// on a few worker goroutines a folder, and watches directories for changes.
//
// An order goes in, one fact comes out ([Carry]); a worker owns nothing between
// two orders. A watch ([Watcher]) only ever hints: what changed is found by
// listing, and a hint that was lost is made up for by the periodic scan.
package disk
