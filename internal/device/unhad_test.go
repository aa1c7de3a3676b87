package device

import (
	"slices"
	"testing"
	"time"

	"github.com/zsync/zsync"
	"github.com/zsync/zsync/replica"
)

func itemOf(text string) Item { return Item{Hash: digestOf(text), Size: uint32(len(text))} }

func TestWhatNobodyHasIsAskedForEverMoreSeldomUntilAPeerMovesOn(t *testing.T) {
	var u unhad
	now := epoch
	wait := func() time.Duration {
		u.add(now, []Item{itemOf("x")})
		waited := u.at.Sub(now)
		now = u.at
		if again := u.again(now); len(again) != 1 {
			t.Fatalf("asks for %d items", len(again))
		}
		return waited.Round(time.Second)
	}
	for _, want := range []time.Duration{2, 4, 8, 16, 32, 60, 60} {
		if got := wait(); got != want*time.Second {
			t.Errorf("waits %s, want %d s", got, want)
		}
	}
	u.add(now, []Item{itemOf("x")})
	u.retry()
	if got := u.again(now); len(got) != 1 {
		t.Error("a peer that moves on does not end the wait")
	}
	if got := wait(); got != 2*retryMin {
		t.Errorf("waits %s after that", got)
	}
}

func TestItemsThatNobodyHadAreAskedForAgainTogether(t *testing.T) {
	f := &FolderMachine{space: &space{}, fetch: newFetcher(spaceNamed(1))}
	f.cfg.Space = spaceNamed(1)
	big := digestOf("big")
	f.fetch.wants[big] = &want{Want: replica.Want{Content: big, Size: 3 << 20, Author: deviceNamed('a')}}
	items := []Item{itemOf("x"), itemOf("y"), itemOf("z"), {Of: big, Hash: digestOf("piece"), Size: 5}}
	for i, author := range []byte("aab") {
		f.fetch.wants[items[i].Hash] = &want{Want: replica.Want{Content: items[i].Hash, Size: 1, Author: deviceNamed(author)}}
	}
	f.fetch.unhad.add(epoch, append(slices.Clone(items), itemOf("no longer wanted")))
	f.refetch(epoch.Add(retryMin))
	orders := f.space.take()
	wants := []Fetch{
		{From: deviceNamed('a'), Prio: prioSmall, Total: zsync.ContentChunkMax, Items: items[:2]},
		{From: deviceNamed('b'), Prio: prioSmall, Total: zsync.ContentChunkMax, Items: items[2:3]},
		{From: deviceNamed('a'), Prio: prioNormal, Total: 3 << 20, Items: items[3:]},
	}
	if len(orders) != len(wants) {
		t.Fatalf("%d orders: %+v", len(orders), orders)
	}
	for i, want := range wants {
		got := orders[i].What.(Fetch)
		if got.From != want.From || got.Prio != want.Prio || got.Total != want.Total || !slices.Equal(got.Items, want.Items) {
			t.Errorf("order %d is %+v, want %+v", i, got, want)
		}
	}
}

func TestWhatNobodyHadIsNotJudgedBeforeANewcomerWasAskedToo(t *testing.T) {
	x := newFetcher(spaceNamed(1))
	item := itemOf("x")
	x.wants[item.Hash] = &want{Want: replica.Want{Content: item.Hash, Size: 1}}
	for _, moment := range []string{"at first", "with the newcomer"} {
		x.lacks(item)
		x.lacks(item)
		if !slices.Equal(x.lacking, []zsync.Digest{item.Hash}) {
			t.Fatalf("%s: %d contents are to be judged", moment, len(x.lacking))
		}
		x.newcomer()
		if len(x.lacking) > 0 {
			t.Fatalf("%s: what a newcomer may have is judged", moment)
		}
	}
}

func TestOnlyAReportThatSaysSomethingNewOfItsSenderIsAMove(t *testing.T) {
	p := newTeller(t, 'b')
	says := func(need uint64) bool {
		far := newTeller(t, 'a')
		far.self = deviceNamed('b')
		p.received(p.now, deviceNamed('b'), far.encode(lineOf('b', need), false))
		return p.moved
	}
	for i, each := range []struct {
		need  uint64
		moved bool
	}{{3, true}, {3, false}, {2, true}, {2, false}} {
		if says(each.need) != each.moved {
			t.Errorf("report %d: moved is %v", i, !each.moved)
		}
	}
}
