package snapshot

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A TimeRange is a range of time.
type TimeRange struct{ From, To time.Time }

// Length is its duration.
func (s TimeRange) Length() time.Duration { return s.To.Sub(s.From) }

const (
	// usualRange is Grafana's, for a dashboard without a time range.
	usualRange = 6 * time.Hour
	// leastRange is the shortest range that is drawn because a lab is young.
	leastRange = 5 * time.Minute
	// maxPoints limits the values of a series: a plot has not many more pixels.
	maxPoints = 200
	// maxColumns limits the columns of a heat map: each has a rectangle per bucket.
	maxColumns = 80
)

// timeRange returns the time range to query.
func (t *taker) timeRange(ctx context.Context, d dashboards.Dashboard) TimeRange {
	length := t.Last
	if length == 0 {
		length = ago(d.From)
	}
	s := TimeRange{t.now.Add(-length), t.now}
	if t.Last > 0 || length <= leastRange {
		return s
	}
	// Find where samples begin. If Mimir does not answer, the panels say what is wrong.
	step := max(length/maxPoints, time.Second)
	series, err := t.mimir.Range(ctx, "count(up)", s.From, s.To, step)
	if err != nil || len(series) == 0 || len(series[0].Points) == 0 {
		return s
	}
	if first := series[0].Points[0].Time.Add(-step); first.After(s.From) {
		s.From = first
	}
	if s.Length() < leastRange {
		s.From = s.To.Add(-leastRange)
	}
	return s
}

// ago returns the duration in a text such as "now-30m".
func ago(from string) time.Duration {
	text, ok := strings.CutPrefix(from, "now-")
	if !ok || len(text) < 2 {
		return usualRange
	}
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || n <= 0 {
		return usualRange
	}
	of := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if d := time.Duration(n) * of[text[len(text)-1]]; d > 0 {
		return d
	}
	return usualRange
}

// A grid has the times at which a query is evaluated: multiples of the step, so that two
// queries of a panel have the same times.
type grid struct {
	from, to time.Time
	step     time.Duration
}

// grid returns the multiples of the step within the range.
func (s TimeRange) grid(step time.Duration) grid {
	return grid{from: s.From.Truncate(step), to: s.To.Truncate(step), step: step}
}

// len returns the number of times.
func (g grid) len() int { return int(g.to.Sub(g.from)/g.step) + 1 }

// index returns the index of the grid's time that is nearest. It may be outside of the
// grid.
func (g grid) index(at time.Time) int {
	d := at.Sub(g.from) + g.step/2
	if d < 0 {
		return -1
	}
	return int(d / g.step)
}
