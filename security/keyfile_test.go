package security

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/zsync/zsync/internal/wire"
)

// cheap is the least that a file may ask for.
var cheap = Cost{MemoryKiB: costMemoryMinKiB, Passes: 1, Lanes: 1}

func saying(words string) func() ([]byte, error) {
	return func() ([]byte, error) { return []byte(words), nil }
}

func neverAsked(t *testing.T) func() ([]byte, error) {
	return func() ([]byte, error) {
		t.Error("a passphrase was asked for")
		return nil, nil
	}
}

func TestKeysInClearAreReadBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	keys := keysOf(t, "laptop")
	if err := keys.Save(path, nil); err != nil {
		t.Fatal(err)
	}
	read, err := LoadKeys(path, neverAsked(t))
	if err != nil || read.secrets != keys.secrets || read.Device() != keys.Device() || read.Key() != keys.Key() {
		t.Fatalf("read %v, %v", read, err)
	}
}

func TestKeysUnderAPassphraseAreReadBackWithItAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	keys := keysOf(t, "laptop")
	if err := keys.SaveAt(path, []byte("correct horse"), cheap); err != nil {
		t.Fatal(err)
	}
	if read, err := LoadKeys(path, saying("correct horse")); err != nil || read.secrets != keys.secrets {
		t.Fatalf("read %v, %v", read, err)
	}
	if _, err := LoadKeys(path, saying("correct house")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("with a wrong passphrase: %v", err)
	}
	if _, err := LoadKeys(path, saying("")); !errors.Is(err, ErrPassphrase) {
		t.Errorf("with an empty passphrase: %v", err)
	}
	if _, err := LoadKeys(path, nil); !errors.Is(err, ErrPassphraseNeeded) {
		t.Errorf("with nobody to ask: %v", err)
	}
	refused := errors.New("no terminal")
	if _, err := LoadKeys(path, func() ([]byte, error) { return nil, refused }); !errors.Is(err, refused) {
		t.Errorf("with no answer: %v", err)
	}
}

func TestEmptyPassphraseIsStillAPassphrase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := keysOf(t, "laptop").SaveAt(path, []byte{}, cheap); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path, nil); !errors.Is(err, ErrPassphraseNeeded) {
		t.Fatalf("got %v", err)
	}
}

func TestSecretsDoNotLieInASealedFile(t *testing.T) {
	keys := keysOf(t, "laptop")
	data, err := keys.encodeKeyFile([]byte("words"), cheap, &stream{seed: "salt"})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "key-sealed", data)
	for _, secret := range [][32]byte{keys.secrets.Sign, keys.secrets.Curve, keys.secrets.Seal} {
		if bytes.Contains(data, secret[:8]) {
			t.Fatal("a secret in clear")
		}
	}
}

func TestKeyFileInClearKeepsItsForm(t *testing.T) {
	data, err := keysOf(t, "laptop").encodeKeyFile(nil, cheap, nil)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "key-clear", data)
}

func TestDefaultCostOpensWithinTheBounds(t *testing.T) {
	for _, cost := range []Cost{DefaultCost(), SmallCost()} {
		if err := cost.check(); err != nil {
			t.Error(err)
		}
	}
	if testing.Short() {
		t.Skip("takes 256 MiB")
	}
	path := filepath.Join(t.TempDir(), "key")
	if err := keysOf(t, "laptop").Save(path, []byte("words")); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path, saying("words")); err != nil {
		t.Fatal(err)
	}
}

func TestSaveReplacesAndLeavesNothingBeside(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	for _, name := range []string{"laptop", "box"} {
		if err := keysOf(t, name).Save(path, nil); err != nil {
			t.Fatal(err)
		}
	}
	read, err := LoadKeys(path, nil)
	if err != nil || read.Key() != keysOf(t, "box").Key() {
		t.Fatalf("read %v, %v", read, err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("beside it: %v, %v", entries, err)
	}
	if stat, err := os.Stat(path); err != nil || stat.Mode().Perm() != 0o600 {
		t.Fatalf("mode %v, %v", stat.Mode(), err)
	}
}

func TestSaveThatFailsLeavesTheOldFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "key")
	if err := os.MkdirAll(filepath.Join(path, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := keysOf(t, "laptop").Save(path, nil); err == nil {
		t.Fatal("a directory was replaced")
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Fatalf("left behind: %v, %v", entries, err)
	}
}

func TestKeyFileThatOthersMayReadIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := keysOf(t, "laptop").Save(path, nil); err != nil {
		t.Fatal(err)
	}
	for _, mode := range []os.FileMode{0o644, 0o640, 0o604, 0o660, 0o602, 0o601} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(path, nil); !errors.Is(err, ErrExposed) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	if err := os.Chmod(path, 0o400); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKeys(path, nil); err != nil {
		t.Errorf("mode 400: %v", err)
	}
}

func TestMissingKeyFileIsTold(t *testing.T) {
	if _, err := LoadKeys(filepath.Join(t.TempDir(), "key"), nil); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
}

func TestWhatIsNoFileIsNoKeyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if keys, err := LoadKeys(path, nil); err == nil {
		t.Fatalf("read %v from a directory", keys)
	}
}

func TestEveryChangedBitOfAKeyFileIsNoticed(t *testing.T) {
	for what, passphrase := range map[string][]byte{"in clear": nil, "sealed": []byte("words")} {
		data, err := keysOf(t, "laptop").encodeKeyFile(passphrase, cheap, &stream{seed: "salt"})
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(data) * 8 {
			changed := slices.Clone(data)
			changed[i/8] ^= 1 << (i % 8)
			if _, err := decodeKeyFile(changed, saying("words")); !errors.Is(err, ErrKeyFile) {
				t.Fatalf("%s, bit %d: got %v", what, i, err)
			}
		}
		for n := range data {
			if _, err := decodeKeyFile(data[:n], saying("words")); !errors.Is(err, ErrKeyFile) {
				t.Fatalf("%s, cut to %d octets: got %v", what, n, err)
			}
		}
	}
}

// rewritten returns the key file as someone would who knows its form.
func rewritten(t *testing.T, data []byte, change func(*keyFile)) []byte {
	t.Helper()
	file, err := parseKeyFile(data)
	if err != nil {
		t.Fatal(err)
	}
	change(file)
	data = append([]byte(keyFileHeading), wire.Marshal(file)...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...)
}

func TestSealedFileThatWasRewrittenDoesNotOpen(t *testing.T) {
	data, err := keysOf(t, "laptop").encodeKeyFile([]byte("words"), cheap, &stream{seed: "salt"})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*keyFile){
		"secrets": func(f *keyFile) { f.Secrets[0] ^= 1 },
		"tag":     func(f *keyFile) { f.Secrets[len(f.Secrets)-1] ^= 1 },
		"salt":    func(f *keyFile) { f.Salt[0] ^= 1 },
		"nonce":   func(f *keyFile) { f.Nonce[0] ^= 1 },
		"passes":  func(f *keyFile) { f.Passes++ },
		"lanes":   func(f *keyFile) { f.Lanes++ },
		"memory":  func(f *keyFile) { f.MemoryKiB++ },
	} {
		if _, err := decodeKeyFile(rewritten(t, data, change), saying("words")); !errors.Is(err, ErrPassphrase) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func TestKeyFileOutOfBoundsIsRefusedBeforeAnyWork(t *testing.T) {
	data, err := keysOf(t, "laptop").encodeKeyFile([]byte("words"), cheap, &stream{seed: "salt"})
	if err != nil {
		t.Fatal(err)
	}
	for what, change := range map[string]func(*keyFile){
		"too much memory":    func(f *keyFile) { f.MemoryKiB = costMemoryMaxKiB + 1 },
		"too little memory":  func(f *keyFile) { f.MemoryKiB = costMemoryMinKiB - 1 },
		"too many passes":    func(f *keyFile) { f.Passes = costPassesMax + 1 },
		"no passes":          func(f *keyFile) { f.Passes = 0 },
		"too many lanes":     func(f *keyFile) { f.Lanes = costLanesMax + 1 },
		"no lanes":           func(f *keyFile) { f.Lanes = 0 },
		"a short salt":       func(f *keyFile) { f.Salt = f.Salt[1:] },
		"a long nonce":       func(f *keyFile) { f.Nonce = append(f.Nonce, 0) },
		"unknown protection": func(f *keyFile) { f.Protection = 2 },
		"clear, with a salt": func(f *keyFile) { f.Protection = inClear },
	} {
		if _, err := decodeKeyFile(rewritten(t, data, change), neverAsked(t)); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

func FuzzParseKeyFile(f *testing.F) {
	for _, passphrase := range [][]byte{nil, []byte("words")} {
		data, err := keysOf(f, "laptop").encodeKeyFile(passphrase, cheap, &stream{seed: "salt"})
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data[len(keyFileHeading) : len(data)-sha256.Size])
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, fields []byte) {
		// With its heading and checksum made right, the fields themselves are met.
		data := append([]byte(keyFileHeading), fields...)
		sum := sha256.Sum256(data)
		file, err := parseKeyFile(append(data, sum[:]...))
		if err != nil {
			return
		}
		if !bytes.Equal(wire.Marshal(file), fields) {
			t.Fatalf("%x read as %+v", fields, file)
		}
	})
}
