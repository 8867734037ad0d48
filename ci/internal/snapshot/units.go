package snapshot

import (
	"math"
	"strconv"
	"strings"
)

// A scale is one size of a unit, such as ms of seconds. Values from factor on are written
// in it.
type scale struct {
	factor float64
	suffix string
}

// unit is how Grafana writes the values of one of its units.
type unit struct {
	// scales are in rising order; a value below the first is written in the first.
	scales []scale
	// times is the factor that a value is multiplied by first, 0 for 1. percentunit has
	// 100.
	times float64
}

// Scales that several units share. Grafana writes bytes in powers of 1024, and bytes per
// second in powers of 1000 unless the unit's id begins with bin.
var (
	counts  = []scale{{1, ""}, {1e3, " K"}, {1e6, " Mil"}, {1e9, " Bil"}, {1e12, " Tri"}}
	seconds = []scale{{1e-9, " ns"}, {1e-6, " µs"}, {1e-3, " ms"}, {1, " s"}, {60, " min"}, {3600, " hour"}, {86400, " day"}}
)

// units are those of Grafana's units that make sense for a lab, by their ids. Ids and
// suffixes are from grafana/packages/grafana-data/src/valueFormats/categories.ts.
var units = map[string]unit{
	"":            {scales: []scale{{1, ""}}},
	"none":        {scales: []scale{{1, ""}}},
	"string":      {scales: []scale{{1, ""}}},
	"short":       {scales: counts},
	"percent":     {scales: []scale{{1, "%"}}},
	"percentunit": {scales: []scale{{1, "%"}}, times: 100},

	"ns": {scales: seconds, times: 1e-9},
	"µs": {scales: seconds, times: 1e-6},
	"ms": {scales: seconds, times: 1e-3},
	"s":  {scales: seconds},
	"m":  {scales: seconds, times: 60},
	"h":  {scales: seconds, times: 3600},
	"d":  {scales: seconds, times: 86400},

	"bytes":     {scales: binary("B")},
	"decbytes":  {scales: decimal("B")},
	"bits":      {scales: binary("b")},
	"decbits":   {scales: decimal("b")},
	"binBps":    {scales: binary("B/s")},
	"Bps":       {scales: decimal("B/s")},
	"binbps":    {scales: binary("b/s")},
	"bps":       {scales: decimal("b/s")},
	"kbytes":    {scales: binary("B"), times: 1 << 10},
	"mbytes":    {scales: binary("B"), times: 1 << 20},
	"deckbytes": {scales: decimal("B"), times: 1e3},
	"decmbytes": {scales: decimal("B"), times: 1e6},

	"cps": {scales: rate("c/s")}, "ops": {scales: rate("ops/s")}, "reqps": {scales: rate("req/s")},
	"rps": {scales: rate("rd/s")}, "wps": {scales: rate("wr/s")}, "iops": {scales: rate("io/s")},
	"eps": {scales: rate("evt/s")}, "mps": {scales: rate("msg/s")}, "recps": {scales: rate("rec/s")}, "rowsps": {scales: rate("rows/s")},
	"opm": {scales: rate("ops/m")}, "rpm": {scales: rate("rd/m")}, "reqpm": {scales: rate("req/m")}, "cpm": {scales: rate("c/m")},
	"hertz": {scales: []scale{{1, " Hz"}, {1e3, " kHz"}, {1e6, " MHz"}, {1e9, " GHz"}}},
}

func binary(of string) []scale {
	return []scale{{1, " " + of}, {1 << 10, " Ki" + of}, {1 << 20, " Mi" + of}, {1 << 30, " Gi" + of}, {1 << 40, " Ti" + of}, {1 << 50, " Pi" + of}}
}

func decimal(of string) []scale {
	return []scale{{1, " " + of}, {1e3, " k" + of}, {1e6, " M" + of}, {1e9, " G" + of}, {1e12, " T" + of}, {1e15, " P" + of}}
}

func rate(of string) []scale {
	return []scale{{1, " " + of}, {1e3, "K " + of}, {1e6, "M " + of}, {1e9, "B " + of}}
}

// unitOf returns the unit with that id. The id "suffix:…" is written behind the value as
// it is, and an unknown id behind a space.
func unitOf(id string) unit {
	if u, ok := units[id]; ok {
		return u
	}
	if suffix, ok := strings.CutPrefix(id, "suffix:"); ok {
		return unit{scales: []scale{{1, suffix}}}
	}
	return unit{scales: []scale{{1, " " + id}}}
}

// scaled returns the value in the base unit of the scales.
func (u unit) scaled(v float64) float64 {
	if u.times != 0 {
		v *= u.times
	}
	return v
}

// scaleFor returns the scale in which a scaled value is written.
func (u unit) scaleFor(v float64) scale {
	best := u.scales[0]
	for _, s := range u.scales {
		// A value that rounds up to the next scale is written in that: 1 s, not 1000 ms.
		if math.Abs(v) >= s.factor*0.9995 {
			best = s
		}
	}
	if v == 0 && best.factor != 1 {
		return scale{1, suffixOfOne(u.scales)}
	}
	return best
}

// suffixOfOne returns the suffix of the base unit, in which 0 is written.
func suffixOfOne(scales []scale) string {
	for _, s := range scales {
		if s.factor == 1 {
			return s.suffix
		}
	}
	return scales[0].suffix
}

// format writes a value in the unit with that id. decimals is the number of decimals;
// nil gives three significant figures.
func format(v float64, id string, decimals *int) string {
	u := unitOf(id)
	v = u.scaled(v)
	s := u.scaleFor(v)
	switch {
	case math.IsNaN(v):
		return "NaN"
	case math.IsInf(v, 1):
		return "∞"
	case math.IsInf(v, -1):
		return "−∞"
	}
	return figures(v/s.factor, decimals) + s.suffix
}

// significant is the number of significant figures of a value.
const significant = 3

// figures writes a number.
func figures(v float64, decimals *int) string {
	size := math.Abs(v)
	switch {
	case size >= 1e15 || size != 0 && size < 1e-6:
		return strconv.FormatFloat(v, 'g', significant, 64)
	case decimals != nil:
		return signed(strconv.FormatFloat(v, 'f', *decimals, 64))
	case v == math.Trunc(v):
		return signed(strconv.FormatFloat(v, 'f', 0, 64))
	}
	places := max(0, significant-1-int(math.Floor(math.Log10(size))))
	text := strconv.FormatFloat(v, 'f', places, 64)
	if strings.Contains(text, ".") {
		text = strings.TrimRight(strings.TrimRight(text, "0"), ".")
	}
	return signed(text)
}

// signed writes a proper minus sign, and none before a zero.
func signed(text string) string {
	rest, negative := strings.CutPrefix(text, "-")
	if !negative || strings.Trim(rest, "0.") == "" {
		return rest
	}
	return "−" + rest
}
