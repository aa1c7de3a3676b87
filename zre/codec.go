package zre

import (
	"encoding/binary"
	"errors"

	"github.com/zsync/zsync/internal/wire"
)

// CommandID is the third octet of a ZRE message.
type CommandID uint8

// The commands of 36/ZRE, and the three that C Zyre adds to it.
const (
	CommandHello CommandID = iota + 1
	CommandWhisper
	CommandShout
	CommandJoin
	CommandLeave
	CommandPing
	CommandPingOK
	CommandElect   // Zyre's own
	CommandLeader  // Zyre's own
	CommandGoodbye // Zyre's own
)

// Version 2 is what 36/ZRE says and what C Zyre speaks in every mode, CURVE
// included, whatever 43/ZRE says.
const (
	commandSignature = 0xAAA1
	commandVersion   = 2
)

// The limits of a message, on top of what its octets can hold.
const (
	stringBytesMax = 255     // what a one-octet length can say; group names keep it in HELLO too
	headerBytesMax = 1 << 14 // of one header's value
	groupsMax      = 1 << 12
	headersMax     = 1 << 8
	contentsMax    = 1 << 8 // content frames of one message
)

var (
	errNoCommand = errors.New("zre: not a ZRE command of version 2")
	errContents  = errors.New("zre: too many content frames")
)

// Command is one ZRE message. Which fields a command has, the table in the
// package comment says; the others are zero.
type Command struct {
	ID       CommandID
	Sequence uint16 // 1 for HELLO, then one more for each command on that connection, modulo 65536
	Endpoint string
	Groups   []string
	Status   uint8 // the sender's JOINs and LEAVEs so far, this one included, modulo 256
	Name     string
	Headers  []Header
	Group    string
	Node     UUID     // the challenger of an ELECT, the winner of a LEADER
	Content  [][]byte // the frames after the first; alias what was parsed
}

// Frames returns the message as ZeroMQ frames. WHISPER and SHOUT always get a
// content frame, an empty one if need be: without any, Zyre's event stream
// goes out of step.
func (c Command) Frames() [][]byte {
	frame := binary.BigEndian.AppendUint16(nil, commandSignature)
	frame = append(frame, byte(c.ID), commandVersion)
	frame = binary.BigEndian.AppendUint16(frame, c.Sequence)
	switch c.ID {
	case CommandHello:
		frame = c.appendHello(frame)
	case CommandShout:
		frame = wire.AppendString(frame, c.Group)
	case CommandJoin, CommandLeave:
		frame = append(wire.AppendString(frame, c.Group), c.Status)
	case CommandElect, CommandLeader:
		frame = wire.AppendString(wire.AppendString(frame, c.Group), c.Node.String())
	case CommandWhisper, CommandPing, CommandPingOK, CommandGoodbye:
	default:
		panic("zre: unknown command to send")
	}
	if c.ID != CommandWhisper && c.ID != CommandShout {
		return [][]byte{frame}
	}
	if len(c.Content) == 0 {
		return [][]byte{frame, {}}
	}
	return append([][]byte{frame}, c.Content...)
}

func (c Command) appendHello(frame []byte) []byte {
	frame = wire.AppendString(frame, c.Endpoint)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(c.Groups)))
	for _, group := range c.Groups {
		frame = wire.AppendLongString(frame, group)
	}
	frame = wire.AppendString(append(frame, c.Status), c.Name)
	frame = binary.BigEndian.AppendUint32(frame, uint32(len(c.Headers)))
	for _, h := range c.Headers {
		frame = wire.AppendLongString(wire.AppendString(frame, h.Name), h.Value)
	}
	return frame
}

// ParseCommand reads a message. What follows the fields in the first frame is
// ignored, as are frames after it in commands that have no content. A command
// of unknown id is no error: it comes back with its ID and Sequence alone, so
// that a newer peer's does not look like a lost message.
func ParseCommand(frames [][]byte) (Command, error) {
	if len(frames) == 0 {
		return Command{}, errNoCommand
	}
	r := wire.NewReader(frames[0])
	signature, id, version := r.Uint16(), CommandID(r.Uint8()), r.Uint8()
	c := Command{ID: id, Sequence: r.Uint16()}
	if r.Err() != nil || signature != commandSignature || version != commandVersion {
		return Command{}, errNoCommand
	}
	switch id {
	case CommandHello:
		c.readHello(r)
	case CommandShout:
		c.Group = r.String()
	case CommandJoin, CommandLeave:
		c.Group, c.Status = r.String(), r.Uint8()
	case CommandElect, CommandLeader:
		c.Group, c.Node = r.String(), readNode(r)
	}
	if id == CommandWhisper || id == CommandShout {
		c.Content = frames[1:]
	}
	if len(c.Content) > contentsMax {
		r.Fail(errContents)
	}
	if r.Err() != nil {
		return Command{}, r.Err()
	}
	return c, nil
}

func (c *Command) readHello(r *wire.Reader) {
	const lengthBytes = 4
	c.Endpoint = r.String()
	for range r.Count(uint64(r.Uint32()), groupsMax, lengthBytes) {
		c.Groups = append(c.Groups, r.LongString(stringBytesMax))
	}
	c.Status, c.Name = r.Uint8(), r.String()
	for range r.Count(uint64(r.Uint32()), headersMax, 1+lengthBytes) {
		c.Headers = append(c.Headers, Header{Name: r.String(), Value: r.LongString(headerBytesMax)})
	}
}

func readNode(r *wire.Reader) UUID {
	node, err := ParseUUID(r.String())
	if err != nil {
		r.Fail(err)
	}
	return node
}
