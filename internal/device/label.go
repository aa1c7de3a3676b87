package device

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"github.com/zsync/zsync"
)

// Label is what a person calls a folder on all devices: a name as of
// [zsync.ParseName], so 1 to 255 octets of UTF-8 without '/', in NFC and without
// control characters. Two labels are the same when their octets are.
type Label string

// ParseLabel is the only door to a Label for text from a person or a peer. Its
// errors wrap [zsync.ErrName].
func ParseLabel(text string) (Label, error) {
	if _, err := zsync.ParseName(text); err != nil {
		return "", fmt.Errorf("label: %w", err)
	}
	switch {
	case strings.ContainsFunc(text, unicode.IsControl):
		return "", fmt.Errorf("label: %w %q: holds a control character", zsync.ErrName, text)
	case !norm.NFC.IsNormalString(text):
		return "", fmt.Errorf("label: %w %q: not in Unicode's normal form NFC", zsync.ErrName, text)
	}
	return Label(text), nil
}
