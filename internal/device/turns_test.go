package device

import (
	"math/rand/v2"
	"testing"

	"github.com/zsync/zsync"
)

// nextOf is whose turn it is.
func nextOf(t *turns, devices ...byte) zsync.DeviceID {
	best := deviceNamed(devices[0])
	for _, name := range devices[1:] {
		if t.stands(deviceNamed(name)) < t.stands(best) {
			best = deviceNamed(name)
		}
	}
	return best
}

func TestDevicesHaveHadTheSameButForTheLargestThing(t *testing.T) {
	const largest = 1 << 20
	random := rand.New(rand.NewPCG(5, 6))
	sizes := map[byte]func() int64{
		'a': func() int64 { return largest },
		'b': func() int64 { return 1 },
		'c': func() int64 { return 1 + random.Int64N(largest) },
	}
	var turns turns
	had := map[byte]int64{}
	for range 10_000 {
		name := nextOf(&turns, 'a', 'b', 'c')[0]
		amount := sizes[name]()
		turns.give(deviceNamed(name), amount)
		had[name] += amount
		for _, x := range "abc" {
			for _, y := range "abc" {
				if ahead := had[byte(x)] - had[byte(y)]; ahead > largest {
					t.Fatalf("%c has had %d more than %c", x, ahead, y)
				}
			}
		}
	}
}

func TestWhoComesLaterBeginsWhereTheOthersAre(t *testing.T) {
	var turns turns
	for range 1000 {
		turns.give(nextOf(&turns, 'a', 'b'), 100)
	}
	had := map[byte]int{}
	for range 300 {
		device := nextOf(&turns, 'a', 'b', 'c')
		turns.give(device, 100)
		had[device[0]]++
	}
	for name, n := range had {
		if n < 99 || n > 101 {
			t.Errorf("%c had %d turns of 300", name, n)
		}
	}
}
