package device

import (
	"testing"
	"time"

	"github.com/zsync/zsync/internal/kv"
)

func TestDatabaseOfAnEarlierVersionLosesTheIndexesThatItKept(t *testing.T) {
	w := newTwoCopies(t)
	w.run(time.Minute)
	c := w.copies[1]
	former := []string{"have", "inodes", "ids"}
	must(t, c.db.Update(func(tx kv.Tx) error {
		for _, bucket := range former {
			tx.Put(bucket, []byte("a key"), nil)
		}
		return nil
	}))
	must(t, c.root.Close())
	w.open(c)
	must(t, c.db.View(func(tx kv.Tx) error {
		for _, bucket := range former {
			if key, _ := tx.Last(bucket); key != nil {
				t.Errorf("%s has %q still", bucket, key)
			}
		}
		return nil
	}))
}
