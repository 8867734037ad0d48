package snapshot

import (
	"cmp"
	"math"
	"slices"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// A bucket is one row of a heat map: the observations above low and up to high.
type bucket struct {
	// high is infinite for the last bucket.
	low, high float64
	values    []float64
}

// bucketsOf returns the buckets of the panel's histogram in rising order: the series
// with a label le. It adds up the series of several histograms.
func bucketsOf(p Panel) ([]bucket, grid) {
	var g grid
	byBound := map[float64][]float64{}
	for _, a := range p.Answers {
		for _, s := range a.Series {
			bound, err := strconv.ParseFloat(s.Labels["le"], 64)
			if err != nil || a.grid.step == 0 {
				continue
			}
			g = a.grid
			if byBound[bound] == nil {
				byBound[bound] = make([]float64, g.len())
			}
			for _, point := range s.Points {
				if i := g.index(point.Time); i >= 0 && i < g.len() && !math.IsNaN(point.Value) {
					byBound[bound][i] += point.Value
				}
			}
		}
	}
	var all []bucket
	for bound, values := range byBound {
		all = append(all, bucket{high: bound, values: values})
	}
	slices.SortFunc(all, func(a, b bucket) int { return cmp.Compare(a.high, b.high) })
	// Prometheus' buckets are cumulative: take each from the next, beginning at the end.
	for i := len(all) - 1; i > 0; i-- {
		all[i].low = all[i-1].high
		for j := range all[i].values {
			all[i].values[j] = max(0, all[i].values[j]-all[i-1].values[j])
		}
	}
	return trimmed(all), g
}

// trimmed drops empty buckets at both ends.
func trimmed(all []bucket) []bucket {
	used := func(b bucket) bool { return slices.ContainsFunc(b.values, func(v float64) bool { return v > 0 }) }
	for len(all) > 0 && !used(all[0]) {
		all = all[1:]
	}
	for len(all) > 0 && !used(all[len(all)-1]) {
		all = all[:len(all)-1]
	}
	return all
}

// drawHeatmap draws a histogram over time: the darker a cell, the more observations.
func drawHeatmap(v *panelView, p Panel) error {
	buckets, g := bucketsOf(p)
	if len(buckets) == 0 {
		return nil
	}
	most := 0.0
	for _, b := range buckets {
		most = max(most, slices.Max(b.values))
	}
	slices.Reverse(buckets) // rows are drawn from the top
	levels := make([][]int, len(buckets))
	for y, b := range buckets {
		for _, value := range b.values {
			levels[y] = append(levels[y], heatLevel(value, most))
		}
	}
	paths, box, err := drawHeat(levels)
	if err != nil {
		return err
	}
	drawn := TimeRange{g.from, g.to}
	v.Plot = &plot{
		ViewBox: box, Paths: paths, X: timeTicks(drawn.From, drawn.To), Y: bounds(buckets, p.Unit),
	}
	v.Heat = format(most, "", nil)
	v.mark(p, drawn, func(e query.Exemplar) (float64, bool) {
		for y, b := range buckets {
			if e.Value > b.low && e.Value <= b.high {
				return round2(100 * (float64(y) + 0.5) / float64(len(buckets))), true
			}
		}
		return 0, false
	})
	return nil
}

// heatLevel returns the shade of a value, 0 for none. It grows with the square root of
// the value, so that a few requests beside many remain visible.
func heatLevel(value, most float64) int {
	if value <= 0 || most <= 0 {
		return 0
	}
	return max(1, int(math.Ceil(heatLevels*math.Sqrt(value/most))))
}

// maxBounds limits the labels beside a heat map.
const maxBounds = 8

// bounds returns the labels of the lines between the rows, from the bottom.
func bounds(rows []bucket, unitID string) []tick {
	var all []tick
	every := (len(rows) + maxBounds) / maxBounds
	for y := len(rows); y >= 0; y -= every {
		bound := rows[0].high
		if y > 0 {
			bound = rows[y-1].low
		}
		all = append(all, tick{round2(100 * float64(y) / float64(len(rows))), format(bound, unitID, nil)})
	}
	return all
}
