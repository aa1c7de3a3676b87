package store

import "math"

const (
	// reserveOctets and reserveShare are the room that is left free unless Options say
	// otherwise: the larger of the two. A full disk stops far more than zsync.
	reserveOctets = 512 << 20
	reserveShare  = 100 // one part in so many of the file system
	// entryOctets is what a directory, a symlink or an empty file is taken to cost.
	entryOctets = 4096
	// versionsShare is what the versions area may take of the file system.
	versionsShare = 10
)

// ReserveOf returns how many octets are left free of a file system of total octets,
// unless Options say otherwise.
func ReserveOf(total int64) int64 { return max(reserveOctets, total/reserveShare) }

// room returns how many octets may be written now. A disk that does not say how
// much it has is not held to a reserve: it will say when it is full.
func (r *Root) room() int64 {
	free, total, err := r.fs.Free()
	if err != nil || total <= 0 || r.reserve < 0 {
		return math.MaxInt64
	}
	reserve := r.reserve
	if reserve == 0 {
		reserve = ReserveOf(total)
	}
	return free - reserve
}

// VersionsMax returns how many octets the versions area may take: a tenth of the
// file system, for [Root.PruneVersions].
func (r *Root) VersionsMax() int64 {
	_, total, err := r.fs.Free()
	if err != nil || total <= 0 {
		return math.MaxInt64
	}
	return total / versionsShare
}

// budget is the room that one call may use up. It is looked at once, and then
// counted: what others write meanwhile, the next call sees.
type budget struct{ octets int64 }

// take uses some of it, or says that there is not so much.
func (b *budget) take(octets int64) error {
	if octets > b.octets {
		return ErrReserve
	}
	b.octets -= octets
	return nil
}
