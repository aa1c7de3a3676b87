//go:build race

package replica

// histories are fewer under the race detector, which has nothing to find in code
// without goroutines.
const histories = "300"
