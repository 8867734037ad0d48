package traceview

import (
	"fmt"
	"html/template"
	"math"
	"time"
)

// An axis is the time from a trace's begin to its end.
type axis struct {
	begin  time.Time
	length time.Duration
}

// newAxis returns the axis of all spans whose times can be true.
func newAxis(begin time.Time, rows []row) axis {
	x := axis{begin: begin}
	for _, r := range rows {
		if isTime(r.Start) && isTime(r.End) && believed(r.Start) && believed(r.End) {
			x.length = max(x.length, r.End.Sub(begin))
		}
	}
	return x
}

// share returns where a time lies: 0 is the begin, 1 the end. Times beyond either are
// put at that edge.
func (x axis) share(t time.Time) float64 {
	if x.length <= 0 || !isTime(t) {
		return 0
	}
	return min(max(float64(t.Sub(x.begin))/float64(x.length), 0), 1)
}

// bar returns the place and the width of a span's bar. The style sheet gives short bars
// a width that can be seen.
func (x axis) bar(start, end time.Time) template.CSS {
	from, to := x.share(start), x.share(end)
	return template.CSS(fmt.Sprintf("left:%.3f%%;width:%.3f%%", 100*from, 100*max(to-from, 0)))
}

// marks returns lines at round times, four to nine of them.
func (x axis) marks() []markView {
	if x.length <= 0 {
		return []markView{{"left:0%", "0"}}
	}
	width := float64(x.length) / float64(time.Millisecond)
	step := math.Pow(10, math.Floor(math.Log10(width/2)))
	for _, factor := range []float64{1, 2, 5} {
		if width/(step*factor) <= 8 {
			step *= factor
			break
		}
	}
	var all []markView
	for at := 0.0; at <= width && len(all) < 20; at += step {
		all = append(all, markView{template.CSS(fmt.Sprintf("left:%.3f%%", 100*at/width)), fmt.Sprintf("%g ms", math.Round(at*1000)/1000)})
	}
	return all
}
