package replica

import (
	"github.com/zsync/zsync/store"
)

// guesses are places in other versions of a file at which chunks may lie that those
// do not have as chunks. After an insertion the cuts take some megabytes to fall into
// step with the old ones again, though all the bytes are the old ones: they lie as far
// from a chunk that both versions have, or from an end of the file, as they did before.
type guesses struct {
	sources []store.Source
	number  int // of the last guess
}

// add guesses where the chunks lie that a version lacks; known are those that it has.
// What follows a known chunk is guessed one after the other, until a guess is wrong,
// and so is what comes before one: at most two chunks are read in vain for each gap.
func (g *guesses) add(chunks []store.Chunk, size int64, span store.Span, known []store.Source) {
	if len(chunks) == 0 {
		return
	}
	at := make(map[int]int64, len(known))
	for _, source := range known {
		at[source.Index] = source.Offset
	}
	last := chunks[len(chunks)-1]
	forward := shift{of: 0, known: chunks[0].Offset == 0}
	for i := range chunks {
		g.follow(&forward, i, chunks[i], span, at)
	}
	backward := shift{of: span.Stat.Size - size, known: last.Offset+int64(last.Size) == size}
	for i := len(chunks) - 1; i >= 0; i-- {
		g.follow(&backward, i, chunks[i], span, at)
	}
}

// shift is how far what lies in one version is from where it lies in another, as a
// walk along the chunks has it from the last that both have.
type shift struct {
	of     int64
	known  bool
	number int // of the guess that goes on; 0: none does
}

func (g *guesses) follow(s *shift, index int, chunk store.Chunk, span store.Span, at map[int]int64) {
	if offset, known := at[index]; known {
		*s = shift{of: offset - chunk.Offset, known: true}
		return
	}
	offset := chunk.Offset + s.of
	if !s.known || offset < 0 || offset+int64(chunk.Size) > span.Stat.Size {
		s.known = false
		return
	}
	if s.number == 0 {
		g.number++
		s.number = g.number
	}
	g.sources = append(g.sources, store.Source{Index: index, Span: span, Offset: offset, Guess: s.number})
}
