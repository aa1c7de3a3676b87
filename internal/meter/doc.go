// Package meter counts what the stages of the data path did: how often, over how
// much, and for how long. What is counted is handed to whoever carries a stage out;
// reading it stops nobody.
//
// A stage is counted once an order or a batch, never once a file where there is a
// batch, with a handful of atomic additions and no allocation. So it is always on.
package meter
