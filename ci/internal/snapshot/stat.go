package snapshot

import (
	"fmt"
	"html/template"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A stat is one value of a stat, gauge or bar gauge.
type stat struct {
	// Name is "" if the panel has only one value.
	Name, Value string
	// Class and Color are the threshold's colour: a class of the page's style sheet, or a
	// colour that the dashboard gives in hexadecimal.
	Class string
	Color template.CSS
	// Share is how much of the gauge is filled, in percent.
	Share float64
	// Spark is a small plot of the series behind the value; nil for an instant query.
	Spark *plot
}

// maxStats limits the values of one panel.
const maxStats = 24

// stats shows one value of each of the panel's series.
func stats(v *panelView, p Panel) error {
	total := 0
	for _, a := range p.Answers {
		total += len(a.Series)
	}
	top := highest(p)
	for _, a := range p.Answers {
		called := names(a)
		for i, s := range a.Series {
			if len(v.Stats) == maxStats {
				v.Notes = append(v.Notes, fmt.Sprintf("%d more values are left out", total-maxStats))
				return nil
			}
			value := reduce(s.Points, p.Reduce)
			one := valueStat(p.Panel, value, unitFor(p.Panel, called[i]))
			if total > 1 || p.Type == "bargauge" {
				one.Name = called[i]
			}
			one.Share = gaugeShare(p.Panel, value, top)
			if p.Type == "stat" && a.grid.step > 0 && len(s.Points) > 1 {
				spark, err := sparkline(a.grid, s.Points)
				if err != nil {
					return err
				}
				one.Spark = spark
			}
			v.Stats = append(v.Stats, one)
		}
	}
	return nil
}

// valueStat returns a value as the panel shows it: the text that it maps to, or the
// value in its unit; and its colour.
func valueStat(p dashboards.Panel, value float64, unitID string) stat {
	one := stat{Value: format(value, unitID, p.Decimals)}
	one.paint(thresholdColor(p.Thresholds, value))
	for _, text := range p.Values {
		if text.Value != strconv.FormatFloat(value, 'f', -1, 64) {
			continue
		}
		if text.Text != "" {
			one.Value = text.Text
		}
		if text.Color != "" {
			one.paint(text.Color)
		}
	}
	return one
}

// thresholdColor returns the colour of the highest threshold that the value reaches.
func thresholdColor(thresholds []dashboards.Threshold, value float64) string {
	name := ""
	for i, t := range thresholds {
		if i == 0 || value >= t.Value {
			name = t.Color
		}
	}
	return name
}

var (
	// colorName is one of Grafana's: a hue, lighter or darker.
	colorName = regexp.MustCompile(`^(?:super-light-|light-|semi-dark-|dark-)?(green|yellow|orange|red|blue|purple)$`)
	colorHex  = regexp.MustCompile(`^#[0-9a-fA-F]{3,8}$`)
)

// paint gives the value one of Grafana's colours. The page has each hue for light and
// for dark. A colour that is neither a hue nor hexadecimal is that of text.
func (s *stat) paint(name string) {
	s.Class, s.Color = "", ""
	switch m := colorName.FindStringSubmatch(name); {
	case m != nil:
		s.Class = "t-" + m[1]
	case colorHex.MatchString(name):
		s.Color = template.CSS("color:" + strings.ToLower(name)) // letters and digits only
	}
}

// highest returns the highest value of all series of the panel.
func highest(p Panel) float64 {
	top := 0.0
	for _, a := range p.Answers {
		for _, s := range a.Series {
			if v := reduce(s.Points, p.Reduce); v > top && !math.IsInf(v, 0) {
				top = v
			}
		}
	}
	return top
}

// gaugeShare returns how much of the value's gauge is filled. A gauge goes from the
// panel's minimum, or 0, to its maximum, or to 100 % of the unit, or to top.
func gaugeShare(p dashboards.Panel, value, top float64) float64 {
	low, high := 0.0, top
	switch p.Unit {
	case "percent":
		high = 100
	case "percentunit":
		high = 1
	}
	if p.Min != nil {
		low = *p.Min
	}
	if p.Max != nil {
		high = *p.Max
	}
	if high <= low || math.IsNaN(value) {
		return 0
	}
	return round2(100 * min(1, max(0, (value-low)/(high-low))))
}

// sparkline draws a series without axes; nil if its value did not change.
func sparkline(g grid, points []query.Point) (*plot, error) {
	l := line{values: onGrid(g, points)}
	if reduce(points, "range") == 0 {
		return nil, nil
	}
	low, high, _ := extent([]line{l}, false)
	// A little room, so that the line's width is not cut off.
	a := axis{low: low - 0.04*(high-low), high: high + 0.04*(high-low)}
	paths, box, err := drawLines([][]float64{l.values}, a, false)
	if err != nil {
		return nil, err
	}
	return &plot{ViewBox: box, Paths: paths}, nil
}
