package snapshot

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// points returns the coordinates of path data.
func points(t *testing.T, d string) [][2]int {
	t.Helper()
	var all [][2]int
	var x, y int
	for _, m := range regexp.MustCompile(`([Ml])([^Mlz]+)`).FindAllStringSubmatch(d, -1) {
		numbers := regexp.MustCompile(`-?\d+`).FindAllString(m[2], -1)
		if len(numbers)%2 != 0 {
			t.Fatalf("%q is no path", d)
		}
		for i := 0; i < len(numbers); i += 2 {
			dx, _ := strconv.Atoi(numbers[i])
			dy, _ := strconv.Atoi(numbers[i+1])
			if m[1] == "M" {
				x, y = 0, 0
			}
			x, y = x+dx, y+dy
			all = append(all, [2]int{x, y})
		}
	}
	return all
}

// The first value is at the left edge of the drawing, the last one at its right edge, and
// the ends of the axis are the upper and lower edge. The page's ticks rely on this.
func TestLinesFillTheirBox(t *testing.T) {
	for _, n := range []int{2, 3, 24, 100, 240} {
		values := make([]float64, n)
		for i := range values {
			values[i] = float64(i%2) * 50 // to and fro: no point is left out
		}
		paths, box, err := drawLines([][]float64{values}, axis{low: 0, high: 50}, false)
		if err != nil || len(paths) != 1 || paths[0].Class != "c0" {
			t.Fatalf("%d values: %v, %v", n, paths, err)
		}
		at := points(t, paths[0].D)
		var left, top, width, height int
		if _, err := fmt.Sscan(box, &left, &top, &width, &height); err != nil {
			t.Fatal(err)
		}
		if len(at) != n || at[0] != [2]int{left, top + height} || at[n-1][0] != left+width || at[1][1] != top {
			t.Errorf("%d values: %d points from %v to %v in the box %s", n, len(at), at[0], at[len(at)-1], box)
		}
	}
}

func TestGaps(t *testing.T) {
	nan := math.NaN()
	paths, _, err := drawLines([][]float64{
		{1, 2, nan, nan, 2, 1, nan, 3, nan, math.Inf(1)},
		{nan, nan, nan, nan, nan, nan, nan, nan, nan, nan},
	}, axis{low: 0, high: 4}, false)
	if err != nil {
		t.Fatal(err)
	}
	var shapes []string
	for _, p := range paths {
		shapes = append(shapes, fmt.Sprintf("%s %d", p.Class, len(points(t, p.D))))
	}
	if got := strings.Join(shapes, ", "); got != "c0 2, c0 2, c0 dot 2" {
		t.Errorf("two lines and a dot are drawn as %s", got)
	}
}

func TestStacked(t *testing.T) {
	paths, _, err := drawLines([][]float64{{1, 1, 1}, {2, 3, 2}}, axis{low: 0, high: 4}, true)
	if err != nil {
		t.Fatal(err)
	}
	classes := map[string]int{}
	top := plotHeight
	for _, p := range paths {
		classes[p.Class]++
		for _, at := range points(t, p.D) {
			top = min(top, at[1])
		}
	}
	if classes["c0 area"] != 1 || classes["c1 area"] != 1 || classes["c0"] != 1 || classes["c1"] != 1 {
		t.Errorf("drawn are %v, want an area and a line of each", classes)
	}
	if top != 0 {
		t.Errorf("the second series ends at %d, want upon the first: at 0", top)
	}
}

// Every cell of a heat map is where the page's ticks say, for any number of cells.
func TestHeatFillsItsBox(t *testing.T) {
	var left, top, width, height int
	if _, err := fmt.Sscan(heatBox, &left, &top, &width, &height); err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{1, 2}, {3, 24}, {15, 80}, {2, 81}} {
		levels := make([][]int, size[0])
		for y := range levels {
			levels[y] = make([]int, size[1])
		}
		levels[0][0], levels[size[0]-1][size[1]-1] = 8, 3
		paths, _, err := drawHeat(levels)
		if err != nil || len(paths) != 2 || paths[0].Class != "h3" || paths[1].Class != "h8" {
			t.Fatalf("%v: %v, %v", size, paths, err)
		}
		low, high := points(t, paths[0].D), points(t, paths[1].D)
		if high[0] != [2]int{left, top} || low[2] != [2]int{left + width, top + height} {
			t.Errorf("%v: the cells go from %v to %v, the box is %s", size, high[0], low[2], heatBox)
		}
	}
}

func TestBuckets(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	series := func(le string, values ...float64) query.Series {
		s := query.Series{Labels: map[string]string{"le": le}}
		for i, v := range values {
			s.Points = append(s.Points, query.Point{Time: at.Add(time.Duration(i) * time.Minute), Value: v})
		}
		return s
	}
	p := Panel{Panel: dashboards.Panel{Type: "heatmap", Unit: "s"}, Answers: []Answer{{
		grid:   grid{at, at.Add(time.Minute), time.Minute},
		Series: []query.Series{series("+Inf", 9, 5), series("0.1", 4, 5), series("0.5", 9, 5), series("0.05", 0, 0), series("0.2", 4, 5)},
	}}}
	buckets, _ := bucketsOf(p)
	var got []string
	for _, b := range buckets {
		got = append(got, fmt.Sprint(b.low, b.high, b.values))
	}
	if want := "0.05 0.1 [4 5], 0.1 0.2 [0 0], 0.2 0.5 [5 0]"; strings.Join(got, ", ") != want {
		t.Errorf("buckets %s, want %s", strings.Join(got, ", "), want)
	}
}

// A panel with very many series shows the largest, says so, and stays small.
func TestVeryMany(t *testing.T) {
	at := time.Unix(1_800_000_000, 0)
	g := grid{at, at.Add((maxPoints - 1) * 5 * time.Second), 5 * time.Second}
	a := Answer{Query: dashboards.Query{Legend: "{{n}}"}, grid: g}
	for i := range 100 {
		s := query.Series{Labels: map[string]string{"n": fmt.Sprintf("series %d", i)}}
		for j := range g.len() {
			s.Points = append(s.Points, query.Point{Time: at.Add(time.Duration(j) * g.step), Value: float64(i) * (1 + math.Sin(float64(i*j)))})
		}
		a.Series = append(a.Series, s)
	}
	d := Dashboard{Dashboard: dashboards.Dashboard{UID: "many"}, TimeRange: TimeRange{g.from, g.to}}
	for i := range 60 {
		d.Panels = append(d.Panels, Panel{State: Shown, Answers: []Answer{a}, Panel: dashboards.Panel{
			ID: i, Type: "timeseries", Title: fmt.Sprint("panel ", i), Grid: dashboards.Grid{Y: i, W: 24, H: 1}}})
	}
	page := written(t, Snapshot{Dashboards: []Dashboard{d}})
	p := page.panel(t, "panel 0")
	if n := len(p.all("path", "")); n != maxSeries {
		t.Errorf("%d lines, want %d", n, maxSeries)
	}
	for text, want := range map[string]bool{"70 series with smaller values are left out": true, "series 99": true, "series 70": true, "series 69": false} {
		if strings.Contains(p.text(), text) != want {
			t.Errorf("%q is on the panel: %v, want %v", text, !want, want)
		}
	}
	// 60 such panels are more than the lab has, and each is as full as it gets.
	if size := len(page.source); size > 3_000_000 {
		t.Errorf("the page has %d bytes", size)
	}
}

func TestReduce(t *testing.T) {
	at := time.Unix(0, 0)
	p := []query.Point{{Time: at, Value: 3}, {Time: at, Value: math.NaN()}, {Time: at, Value: 1}, {Time: at, Value: 2}, {Time: at, Value: math.NaN()}}
	for name, want := range map[string]float64{
		"lastNotNull": 2, "": 2, "mean": 2, "max": 3, "min": 1, "sum": 6, "firstNotNull": 3, "count": 3, "range": 2, "delta": -1,
	} {
		if got := reduce(p, name); got != want {
			t.Errorf("%s = %v, want %v", name, got, want)
		}
	}
	if got := reduce(nil, "max"); !math.IsNaN(got) {
		t.Errorf("max of nothing = %v", got)
	}
}

func TestNames(t *testing.T) {
	series := func(pairs ...map[string]string) []query.Series {
		var all []query.Series
		for _, labels := range pairs {
			all = append(all, query.Series{Labels: labels})
		}
		return all
	}
	type labels = map[string]string
	two := series(labels{"job": "a", "le": "1", "service.name": "x"}, labels{"job": "a", "le": "2"})
	for _, c := range []struct {
		legend string
		series []query.Series
		want   string
	}{
		{"{{job}} at {{le}}", two, "a at 1|a at 2"},
		{"{{ service.name }}", two, "x|(none)"},
		{"p99", two, "p99|p99"},
		{"", series(labels{"job": "a", "le": "1"}, labels{"job": "a", "le": "2"}), "1|2"},
		{"__auto", two, `{le="1", service.name="x"}|{le="2"}`},
		{"", series(labels{"__name__": "up"}), "up"},
		{"", series(labels{}), "value"},
	} {
		if got := strings.Join(names(Answer{Query: dashboards.Query{Legend: c.legend}, Series: c.series}), "|"); got != c.want {
			t.Errorf("%q names them %s, want %s", c.legend, got, c.want)
		}
	}
}

func TestShorter(t *testing.T) {
	for d, want := range map[string]string{
		"M 0 10\nL 5 10\nL 10 10\nL 20 10\nL 30 5": "M0 10l20 0 10-5",
		"M 5 5\nL 9 5\nM 20 20\nL 21 22\nZ":        "M5 5l4 0M20 20l1 2z",
		"M 0 0\nL 10 0\nL 4 0":                     "M0 0l10 0-6 0",
		"M 7 7\nL 7 7":                             "M7 7l0 0",
		"":                                         "",
	} {
		if got, err := shorter(d); got != want || err != nil {
			t.Errorf("shorter(%q) = %q, %v, want %q", d, got, err, want)
		}
	}
	for _, d := range []string{"M 1 2\nC 1 2 3 4 5 6", "<script>", "M 1", "L a b"} {
		if got, err := shorter(d); err == nil {
			t.Errorf("%q is taken for %q", d, got)
		}
	}
}
