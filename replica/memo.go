package replica

// memoMax is how many values a memo keeps of each of its two generations, unless it
// is to keep more: as many as the nodes whose bytes are on their way at one time.
const memoMax = 4096

// looksMax is that for what L shows of nodes: a node is looked at when it is heard of,
// planned and done with, and many are heard of meanwhile.
const looksMax = 16384

// memo remembers what was worked out or decoded of late. What is in it is shared,
// and never changed. The zero memo is empty and ready.
type memo[K comparable, V any] struct {
	young, old map[K]V
	most       int // of each generation; 0: memoMax
}

func (m *memo[K, V]) get(key K) (value V, known bool) {
	if value, known = m.young[key]; known {
		return value, true
	}
	if value, known = m.old[key]; known {
		m.set(key, value)
	}
	return value, known
}

// set remembers a value, in place of the oldest ones if there are too many.
func (m *memo[K, V]) set(key K, value V) {
	if m.young == nil {
		m.young = make(map[K]V)
	}
	m.young[key] = value
	if len(m.young) >= max(m.most, memoMax) {
		m.old, m.young = m.young, m.old // whose room is used again
		clear(m.young)
	}
}

// drop forgets one value.
func (m *memo[K, V]) drop(key K) {
	delete(m.young, key)
	delete(m.old, key)
}

func (m *memo[K, V]) clear() { m.young, m.old = nil, nil }
