//go:build failpoint

package failpoint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// variable is what the environment says it by.
const variable = "ZSYNC_FAILPOINT"

// order is what the environment said when a point was first come to. It is kept
// here, not handed down: the places must look the same in a release.
var order = sync.OnceValue(readOrder)

// when tells the point at which to end, and how often it may be passed before.
type when struct {
	point Point
	left  atomic.Int64
}

func readOrder() *when {
	name, count, _ := strings.Cut(os.Getenv(variable), ":")
	times, err := strconv.ParseInt(count, 10, 64)
	if name != "" && (err != nil || times < 1) {
		panic(variable + " is not NAME:COUNT")
	}
	w := &when{point: Point(name)}
	w.left.Store(times)
	return w
}

// Reach says that a point was come to. It does not return when that is the one at
// which to end.
func Reach(point Point) {
	w := order()
	if w.point != point || w.left.Add(-1) != 0 {
		return
	}
	fmt.Fprintln(os.Stderr, "reached fail point", point)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(err)
	}
	select {} // the signal is on its way
}
