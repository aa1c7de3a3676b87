package device

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/internal/kv"
	"github.com/zsync/zsync/store"
)

// noted returns what is written down of the versions area.
func noted(t *testing.T, c *testCopy) (names []string) {
	t.Helper()
	must(t, c.db.View(func(tx kv.Tx) error {
		tx.Scan(bucketTrash, nil, func(key, _ []byte) bool {
			names = append(names, string(key))
			return true
		})
		return nil
	}))
	return names
}

func TestWhereAndWhenVersionsWereIsNotedUntilTheyAreGone(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[0]
	kept := []string{"000000/000000001~a", "000000/000000002~b", "000000/000000003~c"}
	must(t, c.db.Update(func(tx kv.Tx) error {
		for i, name := range kept {
			c.machine.noteTrash(tx, w.now, []store.Change{{Path: zsync.Path(fmt.Sprint("dir/", i))}}, []store.Result{{Kept: name}})
		}
		return nil
	}))
	if names := noted(t, c); !slices.Equal(names, kept) {
		t.Fatalf("noted: %q", names)
	}
	var line TrashLine
	must(t, c.db.View(func(tx kv.Tx) error {
		line = c.machine.trashLine(tx, kept[1])
		return nil
	}))
	if line.Path != "dir/1" || !line.When.Equal(w.now.Truncate(time.Millisecond)) {
		t.Fatalf("%+v", line)
	}
	_, err := c.machine.Handle(w.now, []any{Discarded{Gone: kept[:1]}, Pruned{Gone: kept[1:2], Next: 4}})
	must(t, err)
	if names := noted(t, c); !slices.Equal(names, kept[2:]) {
		t.Fatalf("left: %q", names)
	}
}

func TestManyVersionsAreRemovedAFewAtATime(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	machine := w.copies[0].machine
	names := make([]string, 2*discardsMax+1)
	for i := range names {
		names[i] = fmt.Sprintf("000000/%09d~x", i+1)
	}
	effects, err := machine.Handle(w.now, []any{Discard{Ticket: 7, Names: names}})
	must(t, err)
	var asked []string
	orders := 0
	for _, e := range effects {
		if order, ok := e.What.(DiscardVersions); ok {
			if orders++; len(order.Names) > discardsMax {
				t.Errorf("an order names %d", len(order.Names))
			}
			asked = append(asked, order.Names...)
		}
	}
	if !slices.Equal(asked, names) {
		t.Fatalf("%d names were ordered", len(asked))
	}
	for range orders {
		if done, _ := machine.Discarding(7); done {
			t.Fatal("done too soon")
		}
		_, err := machine.Handle(w.now, []any{Discarded{}})
		must(t, err)
	}
	if done, err := machine.Discarding(7); !done || err != nil {
		t.Fatalf("done: %v, %v", done, err)
	}
}

func TestASecondJobIsRefusedWhileOneIsUnderWay(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	machine := w.copies[0].machine
	machine.bringing = &bringing{ticket: 1, steps: make([]bringStep, 1), due: w.now.Add(time.Second)}
	_, err := machine.Handle(w.now, []any{Bring{Ticket: 2}})
	must(t, err)
	if report, known := machine.Brought(2); !known || !report.Done || report.Why == "" {
		t.Fatalf("%v, %+v", known, report)
	}
	if report, known := machine.Brought(1); !known || report.Done {
		t.Fatalf("the first: %v, %+v", known, report)
	}
}
