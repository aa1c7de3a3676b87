package plot

import (
	"math"
	"strconv"
	"strings"
)

// scale puts the values from zero to the last tick between two places.
type scale struct {
	ticks    []float64
	from, to float64
}

func (s scale) at(value float64) float64 {
	return s.from + (s.to-s.from)*value/s.ticks[len(s.ticks)-1]
}

const ticksMax = 6 // beside zero; with more the numbers run into each other

// ticks returns round numbers from zero to at least most: 1, 2 or 5 times a power
// of ten apart.
func ticks(most float64) []float64 {
	if most <= 0 || math.IsInf(most, 0) || math.IsNaN(most) {
		most = 1
	}
	step := math.Pow(10, math.Floor(math.Log10(most/ticksMax)))
	for _, times := range []float64{1, 2, 5, 10} {
		if most/(step*times) <= ticksMax {
			step *= times
			break
		}
	}
	count := int(math.Ceil(most/step - 1e-9))
	all := make([]float64, 0, count+1)
	for i := range count + 1 {
		all = append(all, float64(i)*step)
	}
	return all
}

// number writes a tick, with a comma at every thousand: 80,000.
func number(value float64) string {
	text := strconv.FormatFloat(math.Round(value*1e6)/1e6, 'f', -1, 64)
	whole, rest, broken := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if broken {
		return whole + "." + rest
	}
	return whole
}

// figure writes a measured value with three digits, or all before the point.
func figure(value float64) string {
	decimals := 0
	switch {
	case value == 0:
	case value < 10:
		decimals = 2
	case value < 100:
		decimals = 1
	}
	return number(math.Round(value*math.Pow10(decimals)) / math.Pow10(decimals))
}
