package security

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/zsync/zsync/internal/wire"
)

func TestCertificateIsReadAsItWasMade(t *testing.T) {
	keys := keysOf(t, "laptop")
	made := keys.Certify("laptop", 7)
	golden(t, "certificate", made.Encoded)
	read, err := ParseCertificate(made.Encoded)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case read.Curve != keys.Key(), !read.Sign.Equal(keys.SignPublic()), read.Seal != keys.SealPublic(),
		read.Name != "laptop", read.Serial != 7, !bytes.Equal(read.Encoded, made.Encoded),
		read.Device() != keys.Device():
		t.Fatalf("read %+v", read)
	}
}

func TestCertificateSharesNoMemoryWithItsSource(t *testing.T) {
	data := slices.Clone(certOf(t, "laptop").Encoded)
	read, err := ParseCertificate(data)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if _, err := ParseCertificate(read.Encoded); err != nil {
		t.Fatal(err)
	}
}

func TestEveryChangedBitOfACertificateIsNoticed(t *testing.T) {
	data := certOf(t, "laptop").Encoded
	for i := range len(data) * 8 {
		changed := slices.Clone(data)
		changed[i/8] ^= 1 << (i % 8)
		if _, err := ParseCertificate(changed); !errors.Is(err, ErrCertificate) {
			t.Fatalf("bit %d: got %v", i, err)
		}
	}
	for n := range data {
		if _, err := ParseCertificate(data[:n]); !errors.Is(err, ErrCertificate) {
			t.Fatalf("cut to %d octets: got %v", n, err)
		}
	}
}

// signed returns a certificate that says whatever text says, with the device's
// own signature over it.
func signed(k *Keys, text certificateText) []byte {
	encoded := wire.Marshal(text)
	return wire.Marshal(certificate{encoded, k.Sign(append([]byte(certificatePurpose), encoded...))})
}

func TestSignedNonsenseIsNoCertificate(t *testing.T) {
	keys := keysOf(t, "laptop")
	good := certificateText{keys.Key(), [32]byte(keys.SignPublic()), keys.SealPublic(), "laptop", 1}
	if _, err := ParseCertificate(signed(keys, good)); err != nil {
		t.Fatal(err)
	}
	for what, spoil := range map[string]func(*certificateText){
		"no name":             func(c *certificateText) { c.Name = "" },
		"a long name":         func(c *certificateText) { c.Name = strings.Repeat("a", DeviceNameBytesMax+1) },
		"an escape":           func(c *certificateText) { c.Name = "\x1b[2Jlaptop" },
		"a CURVE key of 0":    func(c *certificateText) { c.Curve[0] = 0 },
		"another signing key": func(c *certificateText) { c.Sign = [32]byte(keysOf(t, "box").SignPublic()) },
		"no signing key":      func(c *certificateText) { c.Sign = [32]byte{} },
	} {
		text := good
		spoil(&text)
		if _, err := ParseCertificate(signed(keys, text)); !errors.Is(err, ErrCertificate) {
			t.Errorf("with %s: got %v", what, err)
		}
	}
}

func TestSignatureForAnotherPurposeIsNoCertificate(t *testing.T) {
	keys := keysOf(t, "laptop")
	text := wire.Marshal(certificateText{keys.Key(), [32]byte(keys.SignPublic()), keys.SealPublic(), "laptop", 1})
	for _, purpose := range []string{"", "zsync/endorse/1\x00", "zsync/sig/1\x00"} {
		data := wire.Marshal(certificate{text, keys.Sign(append([]byte(purpose), text...))})
		if _, err := ParseCertificate(data); !errors.Is(err, ErrCertificate) {
			t.Errorf("purpose %q: got %v", purpose, err)
		}
	}
}

func TestDeviceNames(t *testing.T) {
	for text, want := range map[string]string{
		"laptop": "laptop", "  pixel-9\n": "pixel-9", "Omas Gerät": "Omas Gerät", "коробка": "коробка",
		"a b": "a b", strings.Repeat("a", 64): strings.Repeat("a", 64),
	} {
		if got, err := ParseDeviceName(text); err != nil || got != want {
			t.Errorf("%q read as %q, %v", text, got, err)
		}
	}
	for _, text := range []string{
		"", "  ", strings.Repeat("a", 65), "a\nb", "a\x00b", "a\x7fb", "a\u0085b", "a\u202eb", "a\u2066b", "a\u2028b", "a\xffb",
	} {
		if got, err := ParseDeviceName(text); !errors.Is(err, ErrDeviceName) {
			t.Errorf("%q read as %q, %v", text, got, err)
		}
	}
}

func TestCertifyPanicsForANameThatIsNone(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Fatal("a certificate for no name")
		}
	}()
	keysOf(t, "laptop").Certify("", 1)
}

func TestNewerCertificateIsTheOneWithTheHigherSerialThenTheGreaterOctets(t *testing.T) {
	keys := keysOf(t, "laptop")
	one, two, other := keys.Certify("laptop", 1), keys.Certify("laptop", 2), keys.Certify("notebook", 1)
	if !two.newer(one) || one.newer(two) || one.newer(one) {
		t.Fatal("serials do not order")
	}
	if one.newer(other) == other.newer(one) {
		t.Fatal("equal serials are not ordered")
	}
	if !one.newer(Certificate{}) || (Certificate{}).newer(one) {
		t.Fatal("none is newer than one")
	}
}

func FuzzParseCertificate(f *testing.F) {
	f.Add(certOf(f, "laptop").Encoded)
	f.Add(keysOf(f, "box").Certify("Omas Gerät", 1<<40).Encoded)
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ParseCertificate(data)
		if err != nil {
			return
		}
		if !bytes.Equal(c.Encoded, data) || checkDeviceName(c.Name) != nil || c.Curve[0] == 0 {
			t.Fatalf("%x read as %+v", data, c)
		}
	})
}
