package security

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/wire"
)

// MemberOpsMax is the most operations of one membership event.
const MemberOpsMax = 1000

// opAdd is the one membership operation of this version.
const opAdd = 1

var errMemberBody = errors.New("security: bad membership event")

type memberOp struct {
	Op    uint64          `cbor:"1,keyasint"`
	Cert  cbor.RawMessage `cbor:"2,keyasint"`
	Right uint64          `cbor:"3,keyasint"`
}

// AddBody returns the body of a membership event that gives right to the
// devices of 1 to [MemberOpsMax] certificates; it panics for none or more.
func AddBody(right Right, certs ...Certificate) []byte {
	if len(certs) == 0 || len(certs) > MemberOpsMax {
		panic(fmt.Sprintf("security: %d members added in one event", len(certs)))
	}
	ops := make([]memberOp, len(certs))
	for i, cert := range certs {
		ops[i] = memberOp{opAdd, cert.Encoded, uint64(right)}
	}
	return wire.Marshal(ops)
}

// DecodeMemberBody reads what a membership event says, each certificate
// verified. An operation or right of another version makes it an error.
func DecodeMemberBody(body []byte) ([]Member, error) {
	var ops []memberOp
	if err := wire.Unmarshal(body, &ops); err != nil {
		return nil, fmt.Errorf("%w: %w", errMemberBody, err)
	}
	if len(ops) == 0 || len(ops) > MemberOpsMax {
		return nil, fmt.Errorf("%w: %d operations, 1 to %d are allowed", errMemberBody, len(ops), MemberOpsMax)
	}
	added := make([]Member, len(ops))
	for i, op := range ops {
		right := Right(op.Right)
		if op.Op != opAdd || op.Right > uint64(RightFull) || right == RightNone {
			return nil, fmt.Errorf("%w: operation %d with right %d", errMemberBody, op.Op, op.Right)
		}
		cert, err := ParseCertificate(op.Cert)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errMemberBody, err)
		}
		added[i] = Member{cert.Device(), cert, right}
	}
	return added, nil
}

// decodeAdds reads a membership event, whose body is always in clear: a device
// must be able to judge before it has any key.
func decodeAdds(h zsync.Header, body []byte) ([]Member, error) {
	if h.KeyEpoch != 0 {
		return nil, fmt.Errorf("%w: sealed", errMemberBody)
	}
	return DecodeMemberBody(body)
}
