package replica

import "encoding/binary"

// keyRoom makes keys, each in the room of the last one: a transaction keeps none, so
// that a key need last no longer than the call that it is for.
type keyRoom struct{ octets []byte }

// node is the key that [nodeKey] makes.
func (k *keyRoom) node(node uint64) []byte {
	k.octets = binary.BigEndian.AppendUint64(k.octets[:0], node)
	return k.octets
}

// of is a copy of octets, which need not leave the stack for it.
func (k *keyRoom) of(octets []byte) []byte {
	k.octets = append(k.octets[:0], octets...)
	return k.octets
}

// path is the key that [pathKey] makes.
func (k *keyRoom) path(p place) []byte {
	k.octets = append(binary.BigEndian.AppendUint64(k.octets[:0], p.parent), p.name...)
	return k.octets
}

// kids is the key of one node in a slot, or, without the node, what the keys of all
// nodes in that slot begin with.
func (k *keyRoom) kids(p place, node ...uint64) []byte {
	k.octets = append(k.path(p), 0)
	for _, n := range node {
		k.octets = binary.BigEndian.AppendUint64(k.octets, n)
	}
	return k.octets
}
