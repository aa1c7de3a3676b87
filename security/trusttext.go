package security

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zsync/zsync"
)

const (
	trustHeading  = "zsync trusted 1"
	trustLegend   = "# key state since addresses certificate name"
	trustBytesMax = 4 << 20 // recordsMax lines of the longest kind fit
	noField       = "-"
	namedState    = "named" // in the circle, but the key was not proved here
)

// ErrTrustText is wrapped by every error about a list of trusted keys that
// cannot be read.
var ErrTrustText = errors.New("bad list of trusted keys")

// Text returns the list in the form that docs/formats.md describes: one line a
// key, so that a person can read it and a lost database does not lose the circle.
func (t *Trust) Text() []byte {
	lines := []string{trustHeading, trustLegend}
	for _, r := range t.records {
		addresses, cert, name := noField, noField, noField
		if len(r.Addresses) > 0 {
			addresses = strings.Join(r.Addresses, ",")
		}
		if !r.Cert.IsZero() {
			cert, name = base64.RawStdEncoding.EncodeToString(r.Cert.Encoded), strconv.Quote(r.Name)
		}
		lines = append(lines, strings.Join([]string{
			r.Key.String(), r.standing(), r.Since.Format(time.RFC3339), addresses, cert, name,
		}, " "))
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

// ParseTrust reads what [Trust.Text] wrote. Empty lines and lines that begin
// with '#' are skipped; the name at a line's end is there for people alone.
func ParseTrust(data []byte) (*Trust, error) {
	if len(data) > trustBytesMax {
		return nil, fmt.Errorf("%w: %d octets, at most %d", ErrTrustText, len(data), trustBytesMax)
	}
	heading, rest, _ := bytes.Cut(data, []byte("\n"))
	if string(heading) != trustHeading {
		return nil, fmt.Errorf("%w: it begins with %.40q, not %q", ErrTrustText, heading, trustHeading)
	}
	t := NewTrust()
	number := 1
	for line := range strings.Lines(string(rest)) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := t.readLine(line); err != nil {
			return nil, fmt.Errorf("%w: line %d: %w", ErrTrustText, number, err)
		}
	}
	return t, nil
}

func (t *Trust) readLine(line string) error {
	r, err := parseRecord(line)
	if err != nil {
		return err
	}
	i, found := t.find(r.Key)
	_, twice := t.ByDevice(r.Device)
	switch {
	case found || twice:
		return errors.New("a key or device for the second time")
	case len(t.records) == recordsMax:
		return ErrTrustFull
	}
	t.records = slices.Insert(t.records, i, r)
	return nil
}

func parseRecord(line string) (Record, error) {
	fields := strings.SplitN(line, " ", 6)
	if len(fields) != 6 {
		return Record{}, fmt.Errorf("%d fields, 6 are needed", len(fields))
	}
	var r Record
	var err error
	if r.Key, err = zsync.ParseKey(fields[0]); err != nil {
		return Record{}, err
	}
	if r.State, r.Proved, err = parseState(fields[1]); err != nil {
		return Record{}, err
	}
	if r.Since, err = parseSince(fields[2]); err != nil {
		return Record{}, err
	}
	if r.Addresses, err = parseAddresses(fields[3]); err != nil {
		return Record{}, err
	}
	err = r.parseCertificate(fields[4])
	return r, err
}

// standing returns the word for how far a key has come.
func (r *Record) standing() string {
	if r.named() {
		return namedState
	}
	return r.State.String()
}

func parseState(word string) (state State, proved bool, err error) {
	if word == namedState {
		return InCircle, false, nil
	}
	for s := Pending; s <= Revoked; s++ {
		if s.String() == word {
			return s, s == Paired || s == InCircle, nil
		}
	}
	return 0, false, fmt.Errorf("unknown state %q", word)
}

// parseSince refuses years that would not be written in the same form again.
func parseSince(field string) (time.Time, error) {
	since, err := time.Parse(time.RFC3339, field)
	if err == nil && (since.UTC().Year() < 1 || since.UTC().Year() > 9999) {
		err = fmt.Errorf("no such year: %s", field)
	}
	return wholeSecond(since), err
}

func parseAddresses(field string) ([]string, error) {
	if field == noField {
		return nil, nil
	}
	addresses := strings.Split(field, ",")
	if len(addresses) > addressesMax {
		return nil, fmt.Errorf("%d addresses, at most %d", len(addresses), addressesMax)
	}
	for _, address := range addresses {
		if !isAddress(address) {
			return nil, fmt.Errorf("%w %q", ErrAddress, address)
		}
	}
	return addresses, nil
}

func (r *Record) parseCertificate(field string) error {
	if field == noField {
		if r.State == Paired || r.State == InCircle {
			return fmt.Errorf("a %s key has a certificate", r.State)
		}
		return nil
	}
	data, err := base64.RawStdEncoding.DecodeString(field)
	if err != nil {
		return err
	}
	cert, err := ParseCertificate(data)
	switch {
	case err != nil:
		return err
	case cert.Curve != r.Key || r.State == Pending:
		return ErrOtherDevice
	}
	r.Cert, r.Device, r.Name = cert, cert.Device(), cert.Name
	return nil
}

// LoadTrust reads the list from its file. A file that does not exist is an
// empty list.
func LoadTrust(path string) (*Trust, error) {
	data, err := readPrivate(path, trustBytesMax)
	if errors.Is(err, fs.ErrNotExist) {
		return NewTrust(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("read trusted keys: %w", err)
	}
	t, err := ParseTrust(data)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	return t, nil
}

// Save replaces the list's file, durably and for its owner alone.
func (t *Trust) Save(path string) error { return writePrivate(path, t.Text()) }
