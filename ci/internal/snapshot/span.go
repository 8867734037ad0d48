package snapshot

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A Span is a range of time.
type Span struct{ From, To time.Time }

// Length is its duration.
func (s Span) Length() time.Duration { return s.To.Sub(s.From) }

const (
	// usualSpan is that of a dashboard which does not say, as Grafana has it.
	usualSpan = 6 * time.Hour
	// leastSpan is the shortest that a range is narrowed to.
	leastSpan = 5 * time.Minute
	// mostPoints bounds the values of a series: a plot has not many more pixels.
	mostPoints = 200
	// mostColumns bounds those of a heat map: each is a row of rectangles.
	mostColumns = 80
)

// span is the time range to ask for.
func (t *taker) span(ctx context.Context, d dashboards.Dashboard) Span {
	length := t.Last
	if length == 0 {
		length = ago(d.From)
	}
	s := Span{t.now.Add(-length), t.now}
	if t.Last > 0 || length <= leastSpan {
		return s
	}
	// Where samples begin, to the step. Without an answer the panels say what is wrong.
	step := max(length/mostPoints, time.Second)
	series, err := t.mimir.Range(ctx, "count(up)", s.From, s.To, step)
	if err != nil || len(series) == 0 || len(series[0].Points) == 0 {
		return s
	}
	if first := series[0].Points[0].Time.Add(-step); first.After(s.From) {
		s.From = first
	}
	if s.Length() < leastSpan {
		s.From = s.To.Add(-leastSpan)
	}
	return s
}

// ago reads how far back "now-30m" is.
func ago(from string) time.Duration {
	text, ok := strings.CutPrefix(from, "now-")
	if !ok || len(text) < 2 {
		return usualSpan
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || n <= 0 {
		return usualSpan
	}
	of := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if d := time.Duration(n) * of[text[len(text)-1]]; d > 0 {
		return d
	}
	return usualSpan
}

// A grid is the times that a query is evaluated at: whole steps, so that two
// queries of a panel have the same.
type grid struct {
	from, to time.Time
	step     time.Duration
}

// grid is that of the steps within the range.
func (s Span) grid(step time.Duration) grid {
	return grid{from: s.From.Truncate(step), to: s.To.Truncate(step), step: step}
}

// len is how many times there are.
func (g grid) len() int { return int(g.to.Sub(g.from)/g.step) + 1 }

// index is the number of a time's step. It may be outside of the grid.
func (g grid) index(at time.Time) int {
	d := at.Sub(g.from) + g.step/2
	if d < 0 {
		return -1
	}
	return int(d / g.step)
}
