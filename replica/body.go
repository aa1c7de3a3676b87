package replica

import (
	"bytes"
	"fmt"
)

// DecodeBody reads the body of an fs event. It accepts exactly what
// [EncodeBody] writes; every error wraps [ErrBody].
func DecodeBody(data []byte) (Body, error) {
	if len(data) > BodyBytesMax {
		return nil, fmt.Errorf("%w: %d octets", ErrBody, len(data))
	}
	body, err := readBody(data)
	if err != nil {
		return nil, err
	}
	// What a field of another kind of operation said, a parent that need not be
	// repeated, refs that nothing names, a number or key in another form: none of it
	// comes back.
	if !bytes.Equal(body.encode(), data) {
		return nil, fmt.Errorf("%w: not in canonical form", ErrBody)
	}
	return body, nil
}

// EncodeBody writes the body of an fs event. It panics for one that no reader
// would accept: such a body is a bug of its maker.
func EncodeBody(b Body) []byte {
	if len(b) == 0 || len(b) > BodyOpsMax {
		panic(fmt.Sprintf("replica: body of %d operations", len(b)))
	}
	for i := range b {
		if err := b[i].check(); err != nil {
			panic(fmt.Sprintf("replica: operation %d: %v", i, err))
		}
	}
	data := b.encode()
	if len(data) > BodyBytesMax {
		panic(fmt.Sprintf("replica: body of %d octets", len(data)))
	}
	return data
}
