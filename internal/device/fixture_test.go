package device

import (
	"bytes"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/security"
)

var update = flag.Bool("update", false, "rewrite what testdata expects")

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fixedRandom gives the same octets for the same name at every run.
func fixedRandom(name string) *bytes.Reader {
	var octets []byte
	for i := range 8 {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", name, i))
		octets = append(octets, sum[:]...)
	}
	return bytes.NewReader(octets)
}

func keysOf(t testing.TB, name string) *security.Keys {
	t.Helper()
	keys, err := security.GenerateKeys(fixedRandom(name))
	must(t, err)
	return keys
}

// deviceNamed is a device id for tests in which no key matters; ids are ordered as
// names are.
func deviceNamed(name byte) zsync.DeviceID { return zsync.DeviceID{name} }

func spaceNamed(name byte) zsync.SpaceID { return zsync.SpaceID{name} }

func digestOf(text string) zsync.Digest { return sha256.Sum256([]byte(text)) }

// golden compares got with a file of testdata, or with -update becomes it.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		must(t, os.WriteFile(path, []byte(got), 0o600))
	}
	want, err := os.ReadFile(path)
	must(t, err)
	if string(want) != got {
		t.Errorf("%s says otherwise (-update accepts it):\n%s", path, got)
	}
}
