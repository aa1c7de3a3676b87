package filemq

import (
	"errors"
	"strings"
)

// fault is a way for a peer to break the protocol. Its text is what the peer is
// told: fixed, so that nothing a peer sent is echoed to it. What exactly went
// wrong is wrapped around it and stays here.
type fault string

func (f fault) Error() string { return string(f) }

const (
	errMalformed  fault = "malformed frame"
	errTooLong    fault = "frame too long"
	errUnexpected fault = "unexpected command"
	errVersion    fault = "version"
	errCaps       fault = "caps"
	errStock      fault = "zsync peers only"
	errSequence   fault = "NOM out of sequence"
	errCredit     fault = "impossible credit"
	errOverdrawn  fault = "more than the credit"
	errRequest    fault = "request number is not new"
	errQueue      fault = "too many items"
	errAnswer     fault = "answer to nothing asked"
	errCompressed fault = "compression was not allowed"
	errBadItems   fault = "too many bad items"
	errStalled    fault = "no answers"
)

// isFault reports whether err is the peer's doing: one that speaks another version,
// or is slow, breaks nothing.
func isFault(err error) bool {
	for _, harmless := range []error{errVersion, errCaps, errStock, errStalled} {
		if errors.Is(err, harmless) {
			return false
		}
	}
	return true
}

// farewell returns the command that tells a peer why err ends the session.
func farewell(err error) Command {
	if errors.Is(err, errStock) {
		return Srsly{Reason: string(errStock)}
	}
	reason := errMalformed
	errors.As(err, &reason)
	return Rtfm{Reason: string(reason)}
}

// printable makes a peer's reason safe to show: all but printable ASCII is '?'.
func printable(reason string) string {
	return strings.Map(func(char rune) rune {
		if char < ' ' || char > '~' {
			return '?'
		}
		return char
	}, reason)
}
