package device

import (
	"slices"
	"testing"

	"github.com/zsync/zsync/internal/kv"
)

func TestARebuiltHomeKeepsItsFoldersAndWritesAsSomebodyNew(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	db := kv.NewMemory()
	before, _ := k.writer(db, k.watch("Photos"))
	k.watch("Music")
	kept, _, err := Kept(k.db)
	must(t, err)
	noted, err := DecodeFolders(EncodeFolders(kept))
	must(t, err)
	k.db = kv.NewMemory()
	must(t, Rebuild(k.db, noted, Mark{9}))
	orders := k.start()
	again, _, err := Kept(k.db)
	must(t, err)
	same := func(a, b Registration) bool {
		return a.Label == b.Label && a.Dir == b.Dir && a.Space == b.Space && *a.Founding == *b.Founding && a.Taken == b.Taken
	}
	if !slices.EqualFunc(kept, again, same) {
		t.Errorf("it keeps %+v, and kept %+v", again, kept)
	}
	photos := slices.IndexFunc(orders, func(o OpenFolder) bool { return o.Label == "Photos" })
	if after, _ := k.writer(db, orders[photos].Registration); after == before {
		t.Error("it goes on with the writer of the home that was lost")
	}
	if err := Examine(db, orders[photos].Space); err != nil {
		t.Errorf("its log is not what was written: %v", err)
	}
}

func TestAFolderThatWasMovedIsTakenOnAPersonsWordAlone(t *testing.T) {
	k := newKeeper(t, "one")
	k.start()
	reg := k.watch("Photos")
	k.watch("Music")
	moved := Registration{Label: "Photos", Dir: "/elsewhere"}
	if _, err := k.home.Handle(epoch, []any{Watch{Registration: moved}}); err == nil {
		t.Error("without a word of hers it was taken")
	}
	if _, err := k.home.Handle(epoch, []any{Watch{Registration: Registration{Label: "Photos", Dir: "/Music"}, Same: true}}); err == nil {
		t.Error("the directory of another folder was taken")
	}
	effects := k.do(Watch{Registration: moved, Same: true})
	if order := opens(effects)[0]; order.Dir != "/elsewhere" || order.Space != reg.Space || !order.Same {
		t.Errorf("it opens %+v", order)
	}
	kept, _, err := Kept(k.db)
	must(t, err)
	if kept[1].Dir != "/elsewhere" {
		t.Errorf("it keeps %+v", kept[1])
	}
}
