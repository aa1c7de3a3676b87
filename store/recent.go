package store

import (
	"sync"

	"github.com/zsync/zsync"
)

const (
	// recentFileMax is the largest file that is kept in memory, in octets: opening
	// a small file costs more than reading it.
	recentFileMax = 64 << 10
	// recentMax is how many octets are kept in all …
	recentMax = 16 << 20
	// … of which each file takes so many beside its own: the smallest are many, and
	// what is said of them takes more room than they do.
	recentCostBytes = 256
)

// recent holds small files that were just hashed, since a peer mostly asks for them
// next. What is found in it is given once. When it is full the first ones stay: they
// are asked for first.
type recent struct {
	mu     sync.Mutex // hashing and reading workers share it
	files  map[zsync.Digest][]byte
	octets int
}

func (c *recent) keep(content zsync.Digest, data []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(data) > recentFileMax || c.octets+recentCost(data) > recentMax || c.files[content] != nil {
		return
	}
	if c.files == nil {
		c.files = map[zsync.Digest][]byte{}
	}
	c.files[content] = append([]byte(nil), data...)
	c.octets += recentCost(data)
}

func recentCost(data []byte) int { return recentCostBytes + len(data) }

// TakeRecent returns a whole small content that was hashed just now, or nil. It is the
// caller's then, and what became of the file since has no say in it.
func (r *Root) TakeRecent(content zsync.Digest) []byte {
	c := &r.recent
	c.mu.Lock()
	defer c.mu.Unlock()
	data, kept := c.files[content]
	if kept {
		delete(c.files, content)
		c.octets -= recentCost(data)
	}
	return data
}

// ForgetRead gives back the memory of the small files that were hashed and that
// nobody has asked for since.
func (r *Root) ForgetRead() {
	r.recent.mu.Lock()
	defer r.recent.mu.Unlock()
	r.recent.files, r.recent.octets = nil, 0
}
