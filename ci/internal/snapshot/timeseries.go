package snapshot

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// maxSeries limits the lines of a plot: more cannot be told apart.
const maxSeries = 30

// A line is one series, at the times of a grid.
type line struct {
	name string
	unit string
	// values has one value for each time, NaN where the series has none.
	values []float64
	// points are the series as the backend returned it.
	points []query.Point
}

// A legendRow is the line of the legend for a series.
type legendRow struct {
	Class, Name     string
	Last, Mean, Max string
}

// linesOf returns the series of all answers over one grid, and how many series with
// smaller values it left out.
func linesOf(p Panel) (lines []line, g grid, left int) {
	for _, a := range p.Answers {
		if a.grid.step > g.step {
			g = a.grid // the coarsest: series with smaller steps have a value at each of its times
		}
	}
	if g.step == 0 {
		return nil, g, 0
	}
	for _, a := range p.Answers {
		called := names(a)
		for i, s := range a.Series {
			lines = append(lines, line{called[i], unitFor(p.Panel, called[i]), onGrid(g, s.Points), s.Points})
		}
	}
	if left = len(lines) - maxSeries; left <= 0 {
		return lines, g, 0
	}
	rank := make([]int, len(lines))
	for i := range rank {
		rank[i] = i
	}
	slices.SortStableFunc(rank, func(a, b int) int {
		return cmp.Compare(reduce(lines[b].points, "max"), reduce(lines[a].points, "max"))
	})
	keep := rank[:maxSeries]
	slices.Sort(keep)
	var kept []line
	for _, i := range keep {
		kept = append(kept, lines[i])
	}
	return kept, g, left
}

func onGrid(g grid, points []query.Point) []float64 {
	values := make([]float64, g.len())
	for i := range values {
		values[i] = math.NaN()
	}
	for _, p := range points {
		if i := g.index(p.Time); i >= 0 && i < len(values) {
			values[i] = p.Value
		}
	}
	return values
}

// extent returns the range of the values, or of their sums if stacked, and whether all
// values are whole numbers.
func extent(lines []line, stacked bool) (low, high float64, whole bool) {
	whole = true
	sums := map[int]float64{}
	for _, l := range lines {
		for i, v := range l.values {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			whole = whole && v == math.Trunc(v)
			sums[i] += v
			if stacked {
				v = sums[i]
			}
			low, high = min(low, v), max(high, v)
		}
	}
	return low, high, whole
}

// wholeUnits are the units of counts.
var wholeUnits = map[string]bool{"": true, "none": true, "short": true}

// drawTimeseries draws the panel's series over time.
func drawTimeseries(v *panelView, p Panel) error {
	lines, g, left := linesOf(p)
	if len(lines) == 0 {
		return nil
	}
	low, high, whole := extent(lines, p.Stacked)
	a := newAxis(low, high, p.Unit, p.Min, p.Max, whole && wholeUnits[p.Unit])
	values := make([][]float64, len(lines))
	for i, l := range lines {
		values[i] = l.values
	}
	paths, box, err := drawLines(values, a, p.Stacked)
	if err != nil {
		return err
	}
	drawn := TimeRange{g.from, g.to}
	v.Plot = &plot{ViewBox: box, Paths: paths, X: timeTicks(drawn.From, drawn.To), Y: a.ticks()}
	for i, l := range lines {
		class := fmt.Sprintf("c%d", i%seriesColors)
		if i >= seriesColors {
			class += " dash"
		}
		v.Legend = append(v.Legend, legendRow{
			Class: class, Name: l.name,
			Last: format(reduce(l.points, "lastNotNull"), l.unit, p.Decimals),
			Mean: format(reduce(l.points, "mean"), l.unit, p.Decimals),
			Max:  format(reduce(l.points, "max"), l.unit, p.Decimals),
		})
	}
	if left > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("%d series with smaller values are left out", left))
	}
	v.mark(p, drawn, func(e query.Exemplar) (float64, bool) {
		return a.fromTop(e.Value), e.Value >= a.low && e.Value <= a.high
	})
	return nil
}

// reduce returns one value for a series, as Grafana's calculation of that name does. It
// ignores NaN, unless the series has nothing else.
func reduce(points []query.Point, calculation string) float64 {
	var values []float64
	for _, p := range points {
		if !math.IsNaN(p.Value) {
			values = append(values, p.Value)
		}
	}
	if len(values) == 0 {
		return math.NaN()
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	first, last := values[0], values[len(values)-1]
	switch calculation {
	case "mean":
		return sum / float64(len(values))
	case "sum":
		return sum
	case "max":
		return slices.Max(values)
	case "min":
		return slices.Min(values)
	case "first", "firstNotNull":
		return first
	case "count":
		return float64(len(values))
	case "delta", "diff":
		return last - first
	case "range":
		return slices.Max(values) - slices.Min(values)
	}
	return last
}

// A mark is an exemplar on a plot: one observation, with its trace.
type mark struct {
	Left, Top float64
	Title     string
}

// mark puts the exemplars of the panel's queries on its plot, the highest ones if there
// are many. top returns the place of an exemplar, and whether it is on the plot.
func (v *panelView) mark(p Panel, s TimeRange, top func(query.Exemplar) (float64, bool)) {
	var all []query.Exemplar
	for _, a := range p.Answers {
		all = append(all, a.Exemplars...)
	}
	slices.SortStableFunc(all, func(a, b query.Exemplar) int { return cmp.Compare(b.Value, a.Value) })
	taken := map[int]bool{} // at most one mark for each part of the width
	for _, e := range all {
		y, on := top(e)
		x := 100 * float64(e.Time.Sub(s.From)) / float64(s.Length())
		bit := int(x * maxExemplars / 100)
		if !on || x < 0 || x > 100 || taken[bit] {
			continue
		}
		taken[bit] = true
		v.Plot.Marks = append(v.Plot.Marks, mark{round2(x), y, fmt.Sprintf("%s at %s, trace %s",
			format(e.Value, p.Unit, nil), e.Time.UTC().Format(time.TimeOnly), e.TraceID)})
	}
	if n := len(v.Plot.Marks); n > 0 {
		v.Notes = append(v.Notes, fmt.Sprintf("◆ %d exemplars; the highest is %s", n, v.Plot.Marks[0].Title))
	}
}
