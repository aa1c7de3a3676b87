package filemq

import (
	"crypto/sha256"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/zsync/zsync"
)

// prose is text: it shrinks to less than a half.
func prose(size int) []byte {
	random := rand.New(rand.NewPCG(1, 1))
	octets := make([]byte, 0, size+8)
	for len(octets) < size {
		word := random.Uint64N(3000)
		for range 2 + word%7 {
			octets = append(octets, 'a'+byte(word%23))
			word = word*31 + 7
		}
		octets = append(octets, ' ')
	}
	return octets[:size]
}

// numbered returns items like one, which differ in their first octets.
func numbered(one []byte) func(uint64, int) []byte {
	return func(number uint64, size int) []byte {
		return append(data(number, 8), one[8:size]...)
	}
}

// matterWorld is a world where host 0 wants count items of size octets from host 1.
func matterWorld(t *testing.T, f faults, matter func(uint64, int) []byte, count, size int) *world {
	w := newWorld(t, 1, f, Config{Compress: true})
	w.hosts[1].matter = matter
	for number := range uint64(count) {
		w.hosts[0].want(Item{Hash: sha256.Sum256(matter(number, size)), Offset: number, Size: uint32(size)})
	}
	return w
}

func (w *world) all() bool { return w.hosts[0].done() && w.hosts[1].done() }

// A line of 1,000 microseconds a KiB takes 1 MB a second.
func TestOnASlowLineTextTravelsCompressedAndPhotosDoNot(t *testing.T) {
	slow := faults{kibibyte: 400 * time.Microsecond, latency: 5 * time.Millisecond}
	w := matterWorld(t, slow, numbered(prose(100<<10)), 300, 100<<10)
	begun := w.now
	w.run(time.Hour, w.all)
	plain := time.Duration(300*100) * slow.kibibyte
	if took := w.now.Sub(begun); took > plain*75/100 {
		t.Errorf("text took %v, as it is %v", took, plain)
	}
	if w.hosts[1].packed < 130 {
		t.Errorf("%d of 300 items travelled compressed", w.hosts[1].packed)
	}
	w = matterWorld(t, slow, numbered(noise(100<<10)), 300, 100<<10)
	w.run(time.Hour, w.all)
	if !w.hosts[1].session.provider.line.slow {
		t.Error("the line was not found to be slow")
	}
	if w.hosts[1].packed > 0 {
		t.Errorf("%d photos travelled compressed", w.hosts[1].packed)
	}
}

func TestOnAFastLineNothingIsCompressedOrTried(t *testing.T) {
	for what, f := range map[string]faults{
		"a gigabit":         {kibibyte: 8 * time.Microsecond, latency: 100 * time.Microsecond},
		"far away":          {kibibyte: 8 * time.Microsecond, latency: 20 * time.Millisecond},
		"a slow disk there": {kibibyte: time.Microsecond, latency: time.Millisecond, disk: 2 * time.Second},
	} {
		w := matterWorld(t, f, numbered(prose(100<<10)), 300, 100<<10)
		w.run(time.Hour, w.all)
		if s := w.hosts[1].session; w.hosts[1].packed > 0 || s.zip.encoder != nil {
			t.Errorf("%s: %d items travelled compressed", what, w.hosts[1].packed)
		}
	}
}

func TestCompressionFollowsTheLine(t *testing.T) {
	fast, slow := 8*time.Microsecond, 200*time.Microsecond
	w := matterWorld(t, faults{kibibyte: fast, latency: time.Millisecond}, numbered(prose(100<<10)), 900, 100<<10)
	turns, was := 0, false
	reach := func(count int) {
		w.run(time.Hour, func() bool {
			if w.hosts[1].session != nil && w.hosts[1].session.provider.line.slow != was {
				was, turns = !was, turns+1
			}
			return len(w.hosts[0].got) >= count
		})
	}
	reach(200)
	if was {
		t.Error("a fast line was taken for slow")
	}
	w.faults.kibibyte = slow
	reach(500)
	if !was {
		t.Error("that the line became slow was not seen")
	}
	w.faults.kibibyte = fast
	reach(900)
	if was || turns != 2 {
		t.Errorf("slow at the end: %v, after %d turns", was, turns)
	}
}

// A peer of an earlier version offers nothing but plain items.
func TestAPeerThatDoesNotOfferCompressionIsNotProbed(t *testing.T) {
	w := matterWorld(t, faults{kibibyte: 400 * time.Microsecond}, numbered(prose(100<<10)), 300, 100<<10)
	w.hosts[0].cfg.Compress = false
	w.run(time.Hour, w.all)
	if w.hosts[1].packed > 0 || w.hosts[1].hugz > 0 {
		t.Errorf("%d items compressed, %d probes", w.hosts[1].packed, w.hosts[1].hugz)
	}
}

// feed lets a line carry what it can of a stream that never ends, at rate octets a
// second of cost: full, or with nothing on its way when it was measured last.
func (l *line) feed(now *time.Time, span time.Duration, rate int64, full bool) {
	const grant = 2 << 20
	for end := now.Add(span); now.Before(end); {
		if !full && l.sent <= l.granted-l.window {
			l.carried(*now, grant, grant/3)
		}
		*now = now.Add(time.Duration(grant * int64(time.Second) / rate))
		if l.earned(*now, grant) {
			l.answered(now.Add(time.Duration(4*grant*int64(time.Second)/rate) - 1))
		}
		if full {
			l.carried(*now, grant, grant)
		}
	}
}

func filledLine() (l *line, now time.Time) {
	l, now = &line{}, time.Unix(1000, 0)
	l.earned(now, 8<<20)
	l.carried(now, 8<<20, 8<<20)
	return l, now
}

func TestAnEndThatHasNotTheTimeToCompressStopsForAWhile(t *testing.T) {
	l, now := filledLine()
	l.feed(&now, time.Second, 30_000_000, true)
	if !l.slow {
		t.Fatal("a line of 30 MB/s is not slow")
	}
	l.sent = l.granted - l.window // the line has run dry
	l.feed(&now, 2*time.Second, 20_000_000, false)
	if l.slow {
		t.Fatal("it goes on at less than what went without")
	}
	l.carried(now, 8<<20, 8<<20)
	l.feed(&now, lossPause/2, 30_000_000, true)
	if l.slow {
		t.Error("it is tried again at once")
	}
	l.feed(&now, lossPause, 30_000_000, true)
	if !l.slow {
		t.Error("it is never tried again")
	}
}

// Where the line is never full while items are compressed, it is measured without them,
// but ever more seldom.
func TestALineThatIsNoLongerFullIsMeasuredAnewButDoesNotFlap(t *testing.T) {
	l, now := filledLine()
	turns, was := 0, false
	for range 600 {
		l.feed(&now, time.Second, 30_000_000, !l.slow)
		if l.slow != was {
			was, turns = l.slow, turns+1
			l.sent = l.granted - l.window
			if !l.slow {
				l.carried(now, 8<<20, 8<<20)
			}
		}
	}
	if turns < 3 || turns > 24 {
		t.Errorf("%d turns in 10 minutes", turns)
	}
}

func TestAContentThatDidNotShrinkIsTriedMoreSeldom(t *testing.T) {
	var z zipper
	of := zsync.Digest{1}
	tried := 0
	for range 200 {
		z.scratch = nil
		if _, compressed := z.pack(of, append(make([]byte, 100), noise(60<<10)...)); compressed {
			t.Fatal("noise shrank")
		}
		if z.scratch != nil {
			tried++
		}
	}
	if tried < 5 || tried > 12 {
		t.Errorf("it was tried %d times of 200", tried)
	}
	found := 0
	for found <= skippedMax {
		if _, compressed := z.pack(of, prose(60<<10)); compressed {
			break
		}
		found++
	}
	if found > skippedMax {
		t.Error("that it shrinks now is not found")
	}
	if _, compressed := z.pack(of, prose(60<<10)); !compressed {
		t.Error("what follows is not compressed")
	}
	if _, compressed := z.pack(zsync.Digest{}, prose(60<<10)); !compressed {
		t.Error("another is not compressed")
	}
	for i := range 3 * stubbornMax {
		z.pack(zsync.Digest{2, byte(i)}, noise(1000))
	}
	if len(z.stubborn) > stubbornMax {
		t.Errorf("%d contents are remembered", len(z.stubborn))
	}
}

// What travels compressed takes all of its octets in memory here: its credit is theirs.
func TestCompressedItemsCostWhatTheyTakeInMemory(t *testing.T) {
	s := opened(t, Config{Compress: true, Window: 1}, capsOf(Config{Compress: true}))
	var z zipper
	packed, _ := z.pack(zsync.Digest{}, make([]byte, ItemBytesMax))
	items := make([]Item, 3)
	for i := range items {
		items[i].Size = ItemBytesMax
	}
	s.Request(testTime, Request{Items: items})
	for index := range uint16(2) {
		out := received(s, Bukkit{Req: 1, Items: []BukkitItem{{Index: index, Compressed: true, Data: packed}}})
		if len(out.Got) != 1 || out.Got[0].Cost != itemCostMax {
			t.Fatalf("got %+v, closed %q", out.Got, out.Closed)
		}
	}
	if out := received(s, Bukkit{Req: 1, Items: []BukkitItem{{Index: 2, Compressed: true, Data: packed}}}); !out.Fault {
		t.Error("a third beside two that are not disposed of passed")
	}
}
