package eventlog

import (
	"cmp"
	"slices"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// standing returns the membership frontier that an auth stands for, or one of
// the events it takes to say so that is not here. A membership event past a cut
// gives no right, but those that it had covered are still in force: it stands
// for its own auth. So no Authority ever sees an event past a cut.
func (l *Log) standing(tx kv.Tx, auth []zsync.EventID) (standing []zsync.EventID, missing *zsync.EventID) {
	seen := make(map[zsync.EventID]bool)
	for queue := slices.Clone(auth); len(queue) > 0; queue = queue[1:] {
		id := queue[0]
		if seen[id] {
			continue
		}
		seen[id] = true
		h, counts, found := l.headerOf(tx, id)
		switch {
		case !found:
			return nil, &id
		case !counts && h.Kind == zsync.KindMember:
			queue = append(queue, h.Auth...)
		default:
			standing = append(standing, id)
		}
	}
	slices.SortFunc(standing, zsync.EventID.Compare)
	return standing, nil
}

// judge asks the authority about an event that counts, and moves the membership
// frontier on.
func (m *merge) judge(w *writer, r *read) bool {
	h := r.header
	h.Auth, _ = m.log.standing(m.tx, h.Auth)
	if !m.auth.Admit(m.tx, h, r.id, w.Device, r.Body) {
		m.tx.Put(bucketVoid, position(w, h.Seq), []byte{1})
		return false
	}
	if h.Kind == zsync.KindGenesis || h.Kind == zsync.KindMember {
		m.log.meta.Members, m.log.nameable = advance(m.log.meta.Members, h.Auth, r.id), nil
		m.log.saveMeta(m.tx)
	}
	return true
}

// advance returns the membership frontier after an event whose auth is covered.
func advance(frontier, covered []zsync.EventID, id zsync.EventID) []zsync.EventID {
	next := slices.DeleteFunc(slices.Clone(frontier), func(f zsync.EventID) bool { return slices.Contains(covered, f) })
	next = append(next, id)
	slices.SortFunc(next, zsync.EventID.Compare)
	return next
}

// nameable returns the membership frontier as the next own event can name it.
// Anyone who may add members can widen the frontier beyond what fits. Then the
// event that gives this device its right is kept, whatever else there is, and
// the newest of the others: an author that names less than it knows weakens
// nothing but its own events.
func (m *merge) nameable() []zsync.EventID {
	l := m.log
	if len(l.meta.Members) <= authMax {
		return l.meta.Members
	}
	if l.nameable == nil {
		l.nameable = m.narrow(slices.Clone(l.meta.Members))
	}
	return l.nameable
}

func (m *merge) narrow(frontier []zsync.EventID) []zsync.EventID {
	lamports := make(map[zsync.EventID]uint64, len(frontier))
	for _, id := range frontier {
		lamports[id] = m.log.highest(m.tx, []zsync.EventID{id})
	}
	slices.SortStableFunc(frontier, func(a, b zsync.EventID) int { return cmp.Compare(lamports[b], lamports[a]) })
	if id, found := m.auth.Granting(m.tx, frontier, zsync.DeviceOf(m.log.author.Device)); found {
		at := slices.Index(frontier, id)
		frontier = slices.Insert(slices.Delete(frontier, at, at+1), 0, id)
	}
	frontier = frontier[:authMax]
	slices.SortFunc(frontier, zsync.EventID.Compare)
	return frontier
}
