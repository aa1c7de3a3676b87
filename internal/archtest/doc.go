// Package archtest is docs/ARCHITECTURE.md as a test: who may import whom, what
// the pure packages must not touch, that the pages name what is there, and that
// the core builds without a C compiler.
//
// It asks the go command about the tree as it is, which the test cache does not
// see. So it is run with -count=1, and a failure says which rule was broken and
// why there is one.
package archtest
