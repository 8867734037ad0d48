package snapshot

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/go-analyze/charts"
)

// A shape is something that the library has drawn in one style.
type shape struct {
	style, d string
	// dot says that it is a single value between gaps, to which no line leads.
	dot bool
}

var markerColor = regexp.MustCompile(`\b(stroke|fill):rgba?\((\d+),(\d+),(\d+)[,)]`)

// series returns the number of the series that the shape belongs to.
func (s shape) series() (i int, filled, ok bool) {
	for _, m := range markerColor.FindAllStringSubmatch(s.style, -1) {
		if m[2] == strconv.Itoa(markerRed) && m[4] == strconv.Itoa(markerBlue) {
			i, _ := strconv.Atoi(m[3])
			return i, m[1] == "fill", true
		}
	}
	return 0, false, false
}

// render lets the library draw and reads its SVG. It takes over only paths and dots, as
// numbers, so that no text of a label can get onto the page.
func render(draw func(*charts.Painter) error) ([]shape, error) {
	p := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: plotWidth, Height: plotHeight})
	if err := draw(p); err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	svg, err := p.Bytes()
	if err != nil {
		return nil, fmt.Errorf("drawing: %w", err)
	}
	var shapes []shape
	decoder := xml.NewDecoder(strings.NewReader(string(svg)))
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return shapes, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the chart library's SVG: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Local != "path" && start.Name.Local != "circle" {
			continue
		}
		attributes := map[string]string{}
		for _, a := range start.Attr {
			attributes[a.Name.Local] = a.Value
		}
		d := attributes["d"]
		dot := start.Name.Local == "circle"
		if dot { // a line of no length stays round when the plot is stretched
			d = "M " + attributes["cx"] + " " + attributes["cy"] + "\nL " + attributes["cx"] + " " + attributes["cy"]
		}
		if d, err = shorter(d); err != nil {
			return nil, err
		}
		shapes = append(shapes, shape{attributes["style"], d, dot})
	}
}

// shorter rewrites path data with relative coordinates and drops points within a
// horizontal line. The result is less than half as long.
func shorter(d string) (string, error) {
	var b strings.Builder
	var x, y, flat int
	lineTo := false
	step := func(dx, dy int) {
		switch {
		case !lineTo:
			b.WriteByte('l')
		case dx >= 0:
			b.WriteByte(' ')
		}
		lineTo = true
		b.WriteString(strconv.Itoa(dx))
		if dy >= 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strconv.Itoa(dy))
	}
	flush := func() {
		if flat != 0 {
			step(flat, 0)
			flat = 0
		}
	}
	for line := range strings.Lines(d) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		if line == "Z" {
			flush()
			b.WriteByte('z')
			lineTo = false
			continue
		}
		var command string
		var nx, ny int
		if _, err := fmt.Sscanf(line, "%1s %d %d", &command, &nx, &ny); err != nil || command != "M" && command != "L" {
			return "", fmt.Errorf("reading the chart library's SVG: %.40q is no line", line)
		}
		dx, dy := nx-x, ny-y
		x, y = nx, ny
		switch {
		case command == "M":
			flush()
			fmt.Fprintf(&b, "M%d %d", x, y)
			lineTo = false
		case dy == 0 && dx == 0: // a dot
			flush()
			step(0, 0)
		case dy == 0 && (flat == 0 || flat > 0 == (dx > 0)):
			flat += dx
		default:
			flush()
			step(dx, dy)
		}
	}
	flush()
	return b.String(), nil
}
