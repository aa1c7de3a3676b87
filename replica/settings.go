package replica

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/eventlog"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/internal/wire"
)

// The limits of a settings event's body (docs/formats.md section 2).
const (
	SettingsMax          = 1000     // settings in one body
	SettingKeyBytesMax   = 1024     // octets of a key
	SettingValueBytesMax = 64 << 10 // octets of a value
)

// ErrSettings is wrapped by every error about a settings event's body. Such an event
// folds as if its body were empty, on every device alike.
var ErrSettings = errors.New("malformed settings body")

// Setting is one thing that all devices of a folder agree on: of several with one
// key, the one with the highest stamp is in force.
type Setting struct {
	Key   string // UTF-8, 1 to [SettingKeyBytesMax] octets
	Value []byte // up to [SettingValueBytesMax] octets
}

type settingWire struct {
	Key   string `cbor:"1,keyasint"`
	Value []byte `cbor:"2,keyasint"`
}

// EncodeSettings writes the body of a settings event: 1 to [SettingsMax] settings,
// ascending by key. It panics for what no reader would accept.
func EncodeSettings(settings []Setting) []byte {
	out := make([]settingWire, len(settings))
	for i, s := range settings {
		out[i] = settingWire{s.Key, append([]byte{}, s.Value...)}
	}
	data := wire.Marshal(out)
	if _, err := DecodeSettings(data); err != nil {
		panic(fmt.Sprintf("replica: %v", err))
	}
	return data
}

// DecodeSettings accepts exactly what [EncodeSettings] writes; every error wraps
// [ErrSettings].
func DecodeSettings(data []byte) ([]Setting, error) {
	if len(data) > BodyBytesMax {
		return nil, fmt.Errorf("%w: %d octets", ErrSettings, len(data))
	}
	var in []settingWire
	if err := wire.Unmarshal(data, &in); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrSettings, err)
	}
	if len(in) == 0 || len(in) > SettingsMax {
		return nil, fmt.Errorf("%w: %d settings", ErrSettings, len(in))
	}
	settings := make([]Setting, len(in))
	for i, s := range in {
		switch {
		case s.Key == "" || len(s.Key) > SettingKeyBytesMax || !utf8.ValidString(s.Key):
			return nil, fmt.Errorf("%w: key of %d octets", ErrSettings, len(s.Key))
		case s.Value == nil || len(s.Value) > SettingValueBytesMax:
			return nil, fmt.Errorf("%w: value of %d octets", ErrSettings, len(s.Value))
		case i > 0 && in[i-1].Key >= s.Key:
			return nil, fmt.Errorf("%w: keys out of order", ErrSettings)
		}
		settings[i] = Setting(s)
	}
	return settings, nil
}

// bucketSettings holds what the log says: key -> stamp (lamport u64, writer 16, seq
// u64, index u32) and the value.
const bucketSettings = "settings"

const stampBytes = 8 + 16 + 8 + 4

// foldSettings takes one settings event into L.
func (l *tree) foldSettings(tx kv.Tx, ev eventlog.Event) {
	settings, err := DecodeSettings(ev.Body)
	if err != nil {
		l.malformed++
		return
	}
	for i, s := range settings {
		stamp := appendStamp(nil, ev.Header.Stamp(uint32(i)))
		was := tx.Get(bucketSettings, []byte(s.Key))
		if len(was) >= stampBytes && string(was[:stampBytes]) >= string(stamp) {
			continue
		}
		tx.Put(bucketSettings, []byte(s.Key), append(stamp, s.Value...))
		l.ruled = l.ruled || strings.HasPrefix(s.Key, IgnoreKey)
	}
}

// appendStamp writes a stamp so that octets compare as stamps do.
func appendStamp(data []byte, s zsync.Stamp) []byte {
	data = binary.BigEndian.AppendUint64(data, s.Lamport)
	data = append(data, s.Writer[:]...)
	data = binary.BigEndian.AppendUint64(data, s.Seq)
	return binary.BigEndian.AppendUint32(data, s.Index)
}
