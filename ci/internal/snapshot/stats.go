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
	// Name is "" when the panel has one value only.
	Name, Value string
	// Class and Color are the threshold's colour: a class of the page's sheet, or a
	// colour that the dashboard itself names by its numbers.
	Class string
	Color template.CSS
	// Share is how full a gauge is, in percent.
	Share float64
	// Spark is the series behind the value, as a small plot; nil for one of a single
	// time.
	Spark *plot
}

// mostStats bounds the values of one panel.
const mostStats = 24

// stats are the values of the panel's series.
func stats(v *panelView, p Panel) error {
	total := 0
	for _, a := range p.Answers {
		total += len(a.Series)
	}
	top := highest(p)
	for _, a := range p.Answers {
		called := names(a)
		for i, s := range a.Series {
			if len(v.Stats) == mostStats {
				v.Notes = append(v.Notes, fmt.Sprintf("%d more values are left out", total-mostStats))
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

// valueStat is a value as the panel writes it: a text of its own, or the value in
// its unit; and its colour.
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

// thresholdColor is the colour of the last threshold that the value reaches.
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

// paint gives the value a colour by Grafana's name for it. The page has the hues
// for light and for dark; what is neither a hue nor a number is the colour of text.
func (s *stat) paint(name string) {
	s.Class, s.Color = "", ""
	switch m := colorName.FindStringSubmatch(name); {
	case m != nil:
		s.Class = "t-" + m[1]
	case colorHex.MatchString(name):
		s.Color = template.CSS("color:" + strings.ToLower(name)) // letters and digits only
	}
}

// highest is the highest value of all series of the panel.
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

// gaugeShare is how full the value's gauge is: between the panel's own bounds, or
// from 0 to what the unit has as its whole, or to the highest of the values.
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

// sparkline is the course of a value without axes; nil when it did not change.
func sparkline(g grid, points []query.Point) (*plot, error) {
	l := line{values: onGrid(g, points)}
	if reduce(points, "range") == 0 {
		return nil, nil // it has none
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
