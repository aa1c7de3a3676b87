package security

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"github.com/zsync/zsync/internal/wire"
)

const (
	generationHeading  = "zsync generation 1 "
	generationBytesMax = 64
)

// ErrGeneration is wrapped by the error about a recorded generation that cannot
// be read.
var ErrGeneration = errors.New("bad generation")

// Generation says which start of the device a state belongs to. The generation
// file holds a counter that grows at each start; the database records that
// counter and which file it was. A restored or copied database, home or file
// does not match the other any more, and then the device must not go on with
// chains whose later events it may have forgotten.
//
// An image of a whole disk matches itself: that case is found by comparing own
// heads with a peer's.
type Generation struct {
	Counter   uint64 `cbor:"1,keyasint"` // 0: none
	Inode     uint64 `cbor:"2,keyasint"` // 0 where the system has none
	ChangedNS int64  `cbor:"3,keyasint"` // ctime in nanoseconds since 1970 UTC
}

// Lost decides whether state may have been lost: g is what the database
// recorded, found what the file is now. Neither of them there is a first start,
// which has nothing to lose.
func (g Generation) Lost(found Generation) bool { return g != found }

// Encode returns the form in which a database records g.
func (g Generation) Encode() []byte { return wire.Marshal(g) }

// ParseGeneration reads what [Generation.Encode] wrote; no record (nil) is the
// zero Generation.
func ParseGeneration(data []byte) (Generation, error) {
	var g Generation
	if data == nil {
		return g, nil
	}
	if err := wire.Unmarshal(data, &g); err != nil {
		return Generation{}, fmt.Errorf("%w: %w", ErrGeneration, err)
	}
	return g, nil
}

// CheckGeneration begins the next generation: it compares the file at path with
// what the database recorded, counts the file up, and returns what to record
// next. The caller records it durably before it writes the first own event; a
// crash before that looks like a loss at the next start, which costs one more
// writer and nothing else.
func CheckGeneration(path string, recorded Generation) (next Generation, lost bool, err error) {
	found, err := readGeneration(path)
	if err != nil {
		return Generation{}, false, err
	}
	// Counting on from the higher one, a counter never repeats.
	counter := max(recorded.Counter, found.Counter) + 1
	text := generationHeading + strconv.FormatUint(counter, 10) + "\n"
	if err := writePrivate(path, []byte(text)); err != nil {
		return Generation{}, false, fmt.Errorf("write generation: %w", err)
	}
	next, err = readGeneration(path)
	return next, recorded.Lost(found), err
}

// readGeneration returns what the file is now; zero when there is none. A file
// that holds no counter reads as counter 0, which no record has: whatever was
// done to it, the device starts, as after a loss.
func readGeneration(path string) (Generation, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return Generation{}, nil
	}
	if err != nil {
		return Generation{}, fmt.Errorf("read generation: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, generationBytesMax))
	if err != nil {
		return Generation{}, fmt.Errorf("read generation: %w", err)
	}
	stat, err := file.Stat()
	if err != nil {
		return Generation{}, fmt.Errorf("read generation: %w", err)
	}
	inode, changed := identityOf(stat)
	return Generation{parseCounter(string(text)), inode, changed}, nil
}

func parseCounter(text string) uint64 {
	digits, found := strings.CutPrefix(strings.TrimSuffix(text, "\n"), generationHeading)
	counter, err := strconv.ParseUint(digits, 10, 63)
	if !found || err != nil {
		return 0
	}
	return counter
}
