package replica

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/wire"
)

const goldenSettings = "testdata/settings_bodies.txt"

var settingsBodies = []struct {
	name     string
	settings []Setting
}{
	{"one pattern in force", []Setting{{"ignore/*.raw", []byte{1}}}},
	{"a default pattern taken away, and one added", []Setting{{"ignore/*.part", []byte{}}, {"ignore/build/", []byte{1}}}},
	{"a key of another version", []Setting{{"theme", []byte("dark")}}},
}

func TestSettingsAreEncodedAsTheGoldenFileSays(t *testing.T) {
	var out strings.Builder
	for _, b := range settingsBodies {
		fmt.Fprintf(&out, "%s\n%x\n\n", b.name, EncodeSettings(b.settings))
	}
	if *rewriteBodies {
		if err := os.WriteFile(goldenSettings, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	golden, err := os.ReadFile(goldenSettings)
	if err != nil {
		t.Fatal(err)
	}
	if string(golden) != out.String() {
		t.Errorf("settings are now encoded as\n%s", out.String())
	}
	for i, text := range strings.Split(strings.TrimSpace(string(golden)), "\n\n") {
		_, digits, _ := strings.Cut(text, "\n")
		data, err := hex.DecodeString(digits)
		if err != nil {
			t.Fatal(err)
		}
		settings, err := DecodeSettings(data)
		if err != nil || !reflect.DeepEqual(settings, settingsBodies[i].settings) {
			t.Errorf("%s\ndecoded as %+v, %v", text, settings, err)
		}
	}
}

func TestSettingsThatNoDeviceWritesAreRefused(t *testing.T) {
	value := []byte{1}
	many := make([]settingWire, SettingsMax+1)
	for i := range many {
		many[i] = settingWire{fmt.Sprintf("%06d", i), value}
	}
	for why, body := range map[string]any{
		"no settings":     []settingWire{},
		"too many":        many,
		"an empty key":    []settingWire{{"", value}},
		"a long key":      []settingWire{{strings.Repeat("k", SettingKeyBytesMax+1), value}},
		"no value":        []settingWire{{"k", nil}},
		"a long value":    []settingWire{{"k", make([]byte, SettingValueBytesMax+1)}},
		"a key twice":     []settingWire{{"k", value}, {"k", value}},
		"falling keys":    []settingWire{{"l", value}, {"k", value}},
		"a field unknown": []map[int]any{{1: "k", 2: value, 3: 0}},
		"a field missing": []map[int]any{{1: "k"}},
		"a map":           map[int]any{1: "k"},
	} {
		if _, err := DecodeSettings(wire.Marshal(body)); !errors.Is(err, ErrSettings) {
			t.Errorf("%s: %v", why, err)
		}
	}
	if _, err := DecodeSettings(make([]byte, BodyBytesMax+1)); !errors.Is(err, ErrSettings) {
		t.Error(err)
	}
}

func FuzzDecodeSettingsIsTheInverseOfEncodeSettings(f *testing.F) {
	for _, b := range settingsBodies {
		f.Add(EncodeSettings(b.settings))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		settings, err := DecodeSettings(data)
		if err != nil {
			return
		}
		if again := EncodeSettings(settings); !bytes.Equal(again, data) {
			t.Fatalf("%x is encoded as %x", data, again)
		}
	})
}
