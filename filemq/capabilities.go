package filemq

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// capabilities is what both ends of a session can do: their greetings, and of
// each number the lower.
type capabilities struct {
	compress  bool
	queueMax  int   // items that one end may have waiting at the other
	windowMax int64 // credit that one end may grant the other
	besideMax int   // sessions that one end may open beside another
	beside    bool  // this session is one of those
}

// The keys of the dictionary in a greeting.
const (
	capVersion  = "zsync"
	capHash     = "hash"
	capCompress = "comp"
	capChunk    = "max-chunk"
	capFrame    = "max-frame"
	capQueue    = "max-queue"
	capWindow   = "max-window"
	capMore     = "max-beside"
	capBeside   = "beside"
)

const (
	capsVersion = "1"
	hashName    = "sha256"
	zstdName    = "zstd"
	plainName   = "none"
)

func (c Config) capabilities() capabilities {
	return capabilities{
		compress: c.Compress, queueMax: c.QueueMax, windowMax: c.WindowMax, besideMax: c.BesideMax, beside: c.Beside,
	}
}

// dictionary returns what a greeting says of c.
func (c capabilities) dictionary() Dictionary {
	compression := plainName
	if c.compress {
		compression = zstdName + "," + plainName
	}
	d := Dictionary{
		{capVersion, capsVersion},
		{capHash, hashName},
		{capCompress, compression},
		{capChunk, strconv.Itoa(ItemBytesMax)},
		{capFrame, strconv.Itoa(FrameBytesMax)},
		{capQueue, strconv.Itoa(c.queueMax)},
		{capWindow, strconv.FormatInt(c.windowMax, 10)},
	}
	if c.besideMax > 0 {
		d = append(d, Pair{capMore, strconv.Itoa(c.besideMax)})
	}
	if c.beside {
		d = append(d, Pair{capBeside, yes})
	}
	return d
}

// yes is the value of a key that says something by being there.
const yes = "1"

// IsBeside reports whether a frame is the greeting of a session that its peer opens
// beside another one.
func IsBeside(frame []byte) bool {
	if len(frame) > greetingMax {
		return false
	}
	c, err := Decode(frame)
	ohai, is := c.(Ohai)
	if err != nil || !is {
		return false
	}
	said, _ := ohai.Caps.Value(capBeside)
	return said == yes
}

// agree returns what both this end and a peer with the given greeting can do.
// Keys that it does not know are for later versions.
func (c capabilities) agree(peer Dictionary) (capabilities, error) {
	version, ok := peer.Value(capVersion)
	if !ok {
		return c, errStock
	}
	hashes, _ := peer.Value(capHash)
	if version != capsVersion || !names(hashes, hashName) {
		return c, fmt.Errorf("%w: version %q, hash %q", errCaps, version, hashes)
	}
	compression, _ := peer.Value(capCompress)
	said := announcement{dictionary: peer}
	said.number(capChunk, ItemBytesMax, ItemBytesMax)
	said.number(capFrame, FrameBytesMax, FrameBytesMax)
	return capabilities{
		compress:  c.compress && names(compression, zstdName),
		queueMax:  int(said.number(capQueue, RequestItemsMax, int64(c.queueMax))),
		windowMax: said.number(capWindow, windowMin, c.windowMax),
		besideMax: said.besides(c.besideMax),
		beside:    c.beside,
	}, said.err
}

// besides is the lower of own and of what the peer announced: a peer that says nothing
// knows of no sessions beside others.
func (a *announcement) besides(own int) int {
	if _, ok := a.dictionary.Value(capMore); !ok {
		return 0
	}
	return int(a.number(capMore, 0, int64(own)))
}

// announcement reads numbers and remembers the first that is none.
type announcement struct {
	dictionary Dictionary
	err        error
}

// number returns the lower of what the peer announced under key, which is at
// least floor, and of own.
func (a *announcement) number(key string, floor, own int64) int64 {
	text, ok := a.dictionary.Value(key)
	if !ok {
		return own
	}
	number, err := strconv.ParseUint(text, 10, 63)
	if a.err == nil && (err != nil || number < uint64(floor)) {
		a.err = fmt.Errorf("%w: %s is %q, at least %d", errCaps, key, text, floor)
	}
	return min(int64(number), own)
}

func names(list, name string) bool { return slices.Contains(strings.Split(list, ","), name) }
