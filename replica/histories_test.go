//go:build !race

package replica

// histories is how many random histories are tried; a fifth with -short.
const histories = "3000"
