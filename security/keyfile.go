package security

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"golang.org/x/crypto/argon2"
	"golang.org/x/crypto/chacha20poly1305"

	"github.com/zsync/zsync/internal/wire"
)

var (
	// ErrKeyFile is wrapped by the error about a key file that is damaged or not
	// one of ours.
	ErrKeyFile = errors.New("damaged key file")
	// ErrPassphraseNeeded is returned for a key file under a passphrase when there
	// is nobody to ask for it.
	ErrPassphraseNeeded = errors.New("the keys are under a passphrase")
	// ErrPassphrase is returned when the passphrase does not open the key file.
	// A file that was changed on purpose looks the same.
	ErrPassphrase = errors.New("wrong passphrase, or the key file was tampered with")
)

// Cost is what one guess at a passphrase costs (Argon2id, RFC 9106).
type Cost struct {
	MemoryKiB uint32 // 8 MiB to 1 GiB, in KiB
	Passes    uint32 // 1 to 16
	Lanes     uint8  // 1 to 16
}

// DefaultCost takes about half a second and 256 MiB.
func DefaultCost() Cost { return Cost{MemoryKiB: 256 << 10, Passes: 3, Lanes: 2} }

// SmallCost takes 64 MiB, for devices that have no more to spare.
func SmallCost() Cost { return Cost{MemoryKiB: 64 << 10, Passes: 3, Lanes: 2} }

// The bounds of a Cost, so that a file from elsewhere cannot take all memory
// or hold up a start.
const (
	costMemoryMinKiB = 8 << 10
	costMemoryMaxKiB = 1 << 20
	costPassesMax    = 16
	costLanesMax     = 16
)

const (
	keyFileHeading  = "zsync key 1\n"
	keyFileBytesMax = 4 << 10
	saltBytes       = 16
)

// How the secrets of a key file are protected.
const (
	inClear         = 0
	underPassphrase = 1
)

// keyFile follows the heading and is followed by the SHA-256 of both. What is
// sealed is bound to all the other fields.
type keyFile struct {
	Protection uint64 `cbor:"1,keyasint"`
	Secrets    []byte `cbor:"2,keyasint,omitempty"` // in clear, or sealed
	Salt       []byte `cbor:"3,keyasint,omitempty"`
	MemoryKiB  uint32 `cbor:"4,keyasint,omitempty"`
	Passes     uint32 `cbor:"5,keyasint,omitempty"`
	Lanes      uint8  `cbor:"6,keyasint,omitempty"`
	Nonce      []byte `cbor:"7,keyasint,omitempty"`
}

// LoadKeys reads a device's keys from the file at path, which only its owner
// may be able to read ([ErrExposed]). passphrase is called when the file needs
// one; nil when there is nobody to ask. A file that does not exist is
// [io/fs.ErrNotExist].
func LoadKeys(path string, passphrase func() ([]byte, error)) (*Keys, error) {
	data, err := readPrivate(path, keyFileBytesMax)
	if err != nil {
		return nil, fmt.Errorf("read keys: %w", err)
	}
	keys, err := decodeKeyFile(data, passphrase)
	if err != nil {
		return nil, fmt.Errorf("read keys from %s: %w", path, err)
	}
	return keys, nil
}

// Save writes the keys to path, readable by the owner alone, replacing what was
// there in one durable step. With a passphrase they are sealed at
// [DefaultCost]; with none (nil) they are in clear.
func (k *Keys) Save(path string, passphrase []byte) error {
	return k.SaveAt(path, passphrase, DefaultCost())
}

// SaveAt is [Keys.Save] at another cost.
func (k *Keys) SaveAt(path string, passphrase []byte, cost Cost) error {
	data, err := k.encodeKeyFile(passphrase, cost, rand.Reader)
	if err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	if err := writePrivate(path, data); err != nil {
		return fmt.Errorf("save keys: %w", err)
	}
	return nil
}

func (k *Keys) encodeKeyFile(passphrase []byte, cost Cost, random io.Reader) ([]byte, error) {
	file := keyFile{Protection: inClear, Secrets: wire.Marshal(k.secrets)}
	if passphrase != nil {
		var err error
		if file, err = sealed(file.Secrets, passphrase, cost, random); err != nil {
			return nil, err
		}
	}
	data := append([]byte(keyFileHeading), wire.Marshal(file)...)
	sum := sha256.Sum256(data)
	return append(data, sum[:]...), nil
}

func sealed(secrets, passphrase []byte, cost Cost, random io.Reader) (keyFile, error) {
	file := keyFile{
		Protection: underPassphrase,
		Salt:       make([]byte, saltBytes),
		MemoryKiB:  cost.MemoryKiB,
		Passes:     cost.Passes,
		Lanes:      cost.Lanes,
		Nonce:      make([]byte, chacha20poly1305.NonceSizeX),
	}
	for _, into := range [][]byte{file.Salt, file.Nonce} {
		if _, err := io.ReadFull(random, into); err != nil {
			return keyFile{}, err
		}
	}
	box, err := chacha20poly1305.NewX(file.boxKey(passphrase))
	if err != nil {
		return keyFile{}, err
	}
	file.Secrets = box.Seal(nil, file.Nonce, secrets, file.bound())
	return file, nil
}

// boxKey makes the key that the secrets are sealed with.
func (f *keyFile) boxKey(passphrase []byte) []byte {
	return argon2.IDKey(passphrase, f.Salt, f.Passes, f.MemoryKiB, f.Lanes, chacha20poly1305.KeySize)
}

// bound returns what the seal covers beside the secrets: every other field.
func (f *keyFile) bound() []byte {
	rest := *f
	rest.Secrets = nil
	return append([]byte(keyFileHeading), wire.Marshal(rest)...)
}

func decodeKeyFile(data []byte, passphrase func() ([]byte, error)) (*Keys, error) {
	file, err := parseKeyFile(data)
	if err != nil {
		return nil, err
	}
	plain := file.Secrets
	if file.Protection == underPassphrase {
		if plain, err = file.open(passphrase); err != nil {
			return nil, err
		}
	}
	var s secrets
	if err := wire.Unmarshal(plain, &s); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return newKeys(s), nil
}

// parseKeyFile reads all but the secrets.
func parseKeyFile(data []byte) (*keyFile, error) {
	if !bytes.HasPrefix(data, []byte(keyFileHeading)) {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrKeyFile, keyFileHeading)
	}
	end := len(data) - sha256.Size
	if end < len(keyFileHeading) || sha256.Sum256(data[:end]) != [sha256.Size]byte(data[end:]) {
		return nil, fmt.Errorf("%w: its checksum does not match", ErrKeyFile)
	}
	file := new(keyFile)
	if err := wire.Unmarshal(data[len(keyFileHeading):end], file); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyFile, err)
	}
	return file, file.check()
}

func (f *keyFile) check() error {
	cost := Cost{f.MemoryKiB, f.Passes, f.Lanes}
	switch {
	case f.Protection == inClear && cost == Cost{} && f.Salt == nil && f.Nonce == nil:
		return nil
	case f.Protection != underPassphrase:
		return fmt.Errorf("%w: unknown protection %d", ErrKeyFile, f.Protection)
	case len(f.Salt) != saltBytes || len(f.Nonce) != chacha20poly1305.NonceSizeX:
		return fmt.Errorf("%w: salt of %d octets, nonce of %d", ErrKeyFile, len(f.Salt), len(f.Nonce))
	}
	return cost.check()
}

func (c Cost) check() error {
	if c.MemoryKiB < costMemoryMinKiB || c.MemoryKiB > costMemoryMaxKiB ||
		c.Passes < 1 || c.Passes > costPassesMax || c.Lanes < 1 || c.Lanes > costLanesMax {
		return fmt.Errorf("%w: Argon2id with %d KiB, %d passes, %d lanes is out of bounds", ErrKeyFile, c.MemoryKiB, c.Passes, c.Lanes)
	}
	return nil
}

func (f *keyFile) open(passphrase func() ([]byte, error)) ([]byte, error) {
	if passphrase == nil {
		return nil, ErrPassphraseNeeded
	}
	words, err := passphrase()
	if err != nil {
		return nil, err
	}
	box, err := chacha20poly1305.NewX(f.boxKey(words))
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(nil, f.Nonce, f.Secrets, f.bound())
	if err != nil {
		return nil, ErrPassphrase
	}
	return plain, nil
}
