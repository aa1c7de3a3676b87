package wire

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"
)

// ErrNotCanonical is returned for CBOR that says what it says in another form
// than Core Deterministic.
var ErrNotCanonical = errors.New("wire: not deterministic CBOR")

// The limits of every CBOR value that zsync reads.
const (
	arrayItemsMax = 1 << 16
	mapPairsMax   = 64
	nestingMax    = 8
)

var (
	encoder = must(cbor.EncOptions{
		Sort:          cbor.SortCoreDeterministic,
		ShortestFloat: cbor.ShortestFloat16,
		NaNConvert:    cbor.NaNConvert7e00,
		InfConvert:    cbor.InfConvertFloat16,
		IndefLength:   cbor.IndefLengthForbidden,
		TagsMd:        cbor.TagsForbidden,
	}.EncMode())
	decoder = must(cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		MaxArrayElements:  arrayItemsMax,
		MaxMapPairs:       mapPairsMax,
		MaxNestedLevels:   nestingMax,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
		UTF8:              cbor.UTF8RejectInvalid,
	}.DecMode())
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// Marshal returns the Core Deterministic encoding of value. It panics for a
// type that has none: that is a bug here, not a fact from outside.
func Marshal(value any) []byte { return must(encoder.Marshal(value)) }

// Unmarshal reads data into the struct or slice that into points to. It refuses
// unknown and repeated keys, trailing octets, and every encoding but the one
// that [Marshal] would have written, so that one value has one form.
func Unmarshal(data []byte, into any) error {
	if err := decoder.Unmarshal(data, into); err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	again, err := encoder.Marshal(into)
	if err != nil {
		return fmt.Errorf("wire: %w", err)
	}
	if !bytes.Equal(again, data) {
		return ErrNotCanonical
	}
	return nil
}
