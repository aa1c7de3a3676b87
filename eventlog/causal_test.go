package eventlog

import (
	"fmt"
	"testing"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
)

// counting counts what is read.
type counting struct {
	kv.Tx
	gets int
}

func (c *counting) Get(bucket string, key []byte) []byte {
	c.gets++
	return c.Tx.Get(bucket, key)
}

// staircase is a log of so many writers, each of whose events rests on that of the
// next one.
func staircase(t *testing.T, writers int) *replica {
	names := []string{"ann"}
	for i := range writers {
		names = append(names, fmt.Sprint("w", i))
	}
	all := space(t, names...)
	for _, r := range all[1:] { // so that they have their places in this order
		r.write("opens")
		all[0].merge(r.all()...)
	}
	var last Event
	for i := writers; i > 0; i-- {
		r := all[i]
		if i < writers {
			r.merge(all[i+1].all()...)
		}
		if last = r.write("rests"); i < writers && len(last.Header.Deps) == 0 {
			t.Fatal("it rests on nothing")
		}
	}
	all[0].merge(all[1].all()...)
	return all[0]
}

func TestALogIsWalkedInTimeThatGrowsAsItDoesHoweverItsAuthorsLie(t *testing.T) {
	reads := func(writers int) (gets int) {
		r := staircase(t, writers)
		r.do(func(tx kv.Tx) error {
			c, order := &counting{Tx: tx}, make(map[zsync.EventID]bool)
			r.log.causally(c, func(_ *writer, e *read) {
				for _, dep := range e.header.Deps {
					if !order[dep.ID] {
						t.Error("an event was visited before its past")
					}
				}
				order[e.id] = true
			})
			if len(order) != len(r.events()) {
				t.Errorf("%d events of %d were visited", len(order), len(r.events()))
			}
			gets = c.gets
			return nil
		})
		return gets
	}
	few, many := reads(10), reads(40)
	if many > 5*few {
		t.Errorf("%d reads for 10 writers, %d for 40", few, many)
	}
}
