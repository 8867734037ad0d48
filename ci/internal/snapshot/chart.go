package snapshot

import (
	"errors"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"

	"github.com/go-analyze/charts"
)

// A plot is the drawing of a panel: paths, which stretch with the page, and the ticks
// of both axes, which the page writes as text and which do not stretch.
type plot struct {
	ViewBox string
	Paths   []path
	// X are places from the left, Y from the top.
	X, Y []tick
	// Marks are exemplars.
	Marks []mark
}

// A path is one line or area of a plot.
type path struct {
	// Class gives it its colour, in the page's sheet.
	Class string
	// D is SVG's path data.
	D string
}

// The size of a drawing in its own units. They are small because the library draws on
// whole numbers.
const (
	plotWidth, plotHeight = 10000, 1000
)

// marker is the colour in which the library draws the series i, so that its shapes can
// be found in the SVG. The page gives them colours for light and for dark. The library
// must not have a name for this colour.
func marker(i int) charts.Color {
	return charts.Color{R: markerRed, G: uint8(i), B: markerBlue, A: 255}
}

const markerRed, markerBlue = 17, 99

// drawLines draws series over a common grid of times; NaN is a gap.
func drawLines(values [][]float64, a axis, stacked bool) ([]path, string, error) {
	opt := charts.NewLineChartOptionWithData(withGaps(values))
	colors := make([]charts.Color, len(values))
	for i := range colors {
		colors[i] = marker(i)
	}
	opt.Theme = charts.GetTheme(charts.ThemeLight).WithSeriesColors(colors)
	opt.Padding = charts.Box{IsSet: true}
	opt.Symbol = charts.Symbol{Shape: charts.SymbolNone}
	opt.Legend.Show = new(false)
	opt.XAxis.Show = new(false)
	opt.XAxis.BoundaryGap = new(false)
	opt.YAxis[0].Show = new(false)
	opt.YAxis[0].Min, opt.YAxis[0].Max = new(a.low), new(a.high)
	opt.YAxis[0].RangeValuePaddingScale = new(0.0)
	if stacked {
		opt.StackSeries = new(true)
	}
	shapes, err := render(func(p *charts.Painter) error { return p.LineChart(opt) })
	if err != nil {
		return nil, "", err
	}
	var paths []path
	for _, s := range shapes {
		i, filled, ok := s.series()
		if !ok || i >= len(values) {
			continue
		}
		class := "c" + strconv.Itoa(i%seriesColors)
		switch {
		case filled && !s.dot:
			class += " area"
		case s.dot:
			class += " dot"
		case i >= seriesColors:
			class += " dash"
		}
		paths = append(paths, path{class, s.d})
	}
	return paths, linesBox, nil
}

// linesBox is the part of the drawing that the library fills with lines: all of it.
const linesBox = "0 0 10000 1000"

// seriesColors is how many colours the page's sheet has for series; those after
// them are dashed.
const seriesColors = 10

// withGaps replaces NaN and infinity by the library's own value for a gap.
func withGaps(values [][]float64) [][]float64 {
	all := make([][]float64, len(values))
	for i, series := range values {
		all[i] = make([]float64, len(series))
		for j, v := range series {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				v = charts.GetNullValue()
			}
			all[i][j] = v
		}
	}
	return all
}

// heatLevels is how many shades a heat map has.
const heatLevels = 8

// drawHeat draws a rectangle for each level from 1 to heatLevels, and none for 0. The
// first row is on top. All rectangles of one shade are one path.
func drawHeat(levels [][]int) ([]path, string, error) {
	rows := make([][]float64, len(levels))
	var order []int // the levels in the order in which the library draws them
	for y, row := range levels {
		for _, level := range row {
			v := float64(level)
			if level == 0 {
				v = charts.GetNullValue()
			} else {
				order = append(order, level)
			}
			rows[y] = append(rows[y], v)
		}
	}
	hidden := charts.FontStyle{FontSize: 1, FontColor: charts.ColorTransparent}
	opt := charts.NewHeatMapOptionWithData(rows)
	opt.Theme = charts.GetTheme(charts.ThemeLight).WithSeriesColors([]charts.Color{marker(0)})
	opt.Padding = charts.Box{IsSet: true}
	opt.XAxis.LabelFontStyle, opt.YAxis.LabelFontStyle = hidden, hidden
	opt.XAxis.Labels, opt.YAxis.Labels = make([]string, len(rows[0])), make([]string, len(rows))
	shapes, err := render(func(p *charts.Painter) error { return p.HeatMapChart(opt) })
	if err != nil {
		return nil, "", err
	}
	byLevel := make([]strings.Builder, heatLevels+1)
	for _, s := range shapes {
		if !strings.HasPrefix(s.style, "stroke:none;fill:rgb(") {
			continue // an axis, or the white background
		}
		if len(order) == 0 {
			return nil, "", errors.New("the chart library drew more cells than the heat map has")
		}
		byLevel[order[0]].WriteString(s.d)
		order = order[1:]
	}
	if len(order) > 0 {
		return nil, "", fmt.Errorf("the chart library left out %d cells", len(order))
	}
	var paths []path
	for level := range byLevel {
		if byLevel[level].Len() > 0 {
			paths = append(paths, path{"h" + strconv.Itoa(level), byLevel[level].String()})
		}
	}
	return paths, heatBox, nil
}

// heatBox is the part of the drawing that the library fills with cells. Its axes take
// some room even without labels.
const heatBox = "11 1 9988 973"

// style returns a declaration in percent for an element's style attribute.
func style(property string, percent float64) template.CSS {
	return template.CSS(property + ":" + strconv.FormatFloat(percent, 'f', -1, 64) + "%")
}
