package device

import (
	"fmt"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// The types of log messages that eventlog does not know; its own are
// [eventlog.MessageHeads] and those after it.
const (
	typeCert     uint8 = 7
	typeWant     uint8 = 8
	typeProgress uint8 = 9
)

const messageVersion = 1

// groupPrefix and 32 hexadecimal digits are the ZRE group of a space.
const groupPrefix = "zsync-"

func groupOf(id zsync.SpaceID) string { return groupPrefix + id.String() }

func spaceOf(group string) (zsync.SpaceID, bool) {
	if len(group) != len(groupPrefix)+32 || group[:len(groupPrefix)] != groupPrefix {
		return zsync.SpaceID{}, false
	}
	id, err := zsync.ParseSpaceID(group[len(groupPrefix):])
	return id, err == nil
}

func encodeMessage(kind uint8, body []byte) []byte {
	return append([]byte{messageVersion, kind}, body...)
}

// splitMessage takes a content frame apart; ok is false for another version.
func splitMessage(content []byte) (kind uint8, body []byte, ok bool) {
	if len(content) < 2 || content[0] != messageVersion {
		return 0, nil, false
	}
	return content[1], content[2:], true
}

type wantBody struct {
	Space zsync.SpaceID `cbor:"1,keyasint"`
}

func encodeWant(id zsync.SpaceID) []byte { return wire.Marshal(wantBody{id}) }

// line is how far one device is with one space, as some teller knows it.
type line struct {
	_         struct{} `cbor:",toarray"`
	Device    zsync.DeviceID
	Linked    bool
	Applied   [16]byte
	NeedFiles uint64
	NeedBytes uint64
}

// done reports whether nothing is missing there.
func (l line) done() bool { return l.NeedFiles == 0 && l.NeedBytes == 0 }

// has reports whether the device lacks nothing of a log.
func (l line) has(frontier [16]byte) bool {
	return l.done() && l.Applied == frontier && !l.Device.IsZero()
}

type progressBody struct {
	Space zsync.SpaceID `cbor:"1,keyasint"`
	Ask   bool          `cbor:"2,keyasint"`
	Lines []line        `cbor:"3,keyasint"`
}

const progressLinesMax = 1024

func decodeProgress(body []byte) (progressBody, error) {
	var p progressBody
	if err := wire.Unmarshal(body, &p); err != nil {
		return p, err
	}
	if len(p.Lines) > progressLinesMax {
		return p, fmt.Errorf("device: %d progress lines, at most %d", len(p.Lines), progressLinesMax)
	}
	return p, nil
}
