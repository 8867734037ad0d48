package report

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

const (
	ansiReset  = "\x1b[0m"
	ansiRed    = "\x1b[31m"
	ansiGreen  = "\x1b[32m"
	ansiYellow = "\x1b[33m"
	ansiBold   = "\x1b[1m"
	ansiDim    = "\x1b[2m"

	// minName and minMeasured are the columns below which a narrow terminal
	// does not push the name and the measured text; lines wrap there instead.
	minName, minMeasured = 20, 10
	// wideName and wideMeasured bound the columns when the width has no limit.
	wideName, wideMeasured = 70, 60
)

// table is the layout of one report: the widths that all its lines share.
type table struct {
	style          Style
	mark, name     int // column widths
	measured, took int
}

// WriteTable renders the report for people: a line for each check, in groups, and a
// summary line such as "14 passed, 0 failed in 41.2s". Below a failed check are its
// measured and expected texts and its detail. Among several groups, a group of more than
// foldAbove checks shows its passed checks in one line. Columns count code points.
func WriteTable(w io.Writer, r Report, style Style) error {
	shown := folded(r)
	t := layout(shown, style)
	var b strings.Builder
	for _, g := range shown.groups() {
		if g.name != "" {
			fmt.Fprintln(&b, t.paint(ansiBold, OneLine(g.name)))
		}
		for _, c := range g.checks {
			t.check(&b, c)
		}
	}
	t.summary(&b, r)
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}

// foldAbove is the number of checks up to which a group is shown whole beside other
// groups: a person reads so many, and scrolls past more.
const foldAbove = 20

// folded puts the passed checks of a long group into one.
func folded(r Report) Report {
	groups := r.groups()
	if len(groups) < 2 {
		return r
	}
	r.Checks = nil
	for _, g := range groups {
		if len(g.checks) <= foldAbove {
			r.Checks = append(r.Checks, g.checks...)
			continue
		}
		rest := Check{Group: g.name, Status: Pass, Measured: "each as expected"}
		passed := 0
		for _, c := range g.checks {
			if c.Status != Pass {
				r.Checks = append(r.Checks, c)
				continue
			}
			passed++
			rest.Duration += c.Duration
		}
		if passed > 0 {
			rest.Name = fmt.Sprintf("%d checks", passed)
			r.Checks = append(r.Checks, rest)
		}
	}
	return r
}

// layout finds the widths of the columns. The name gives way before the
// measured text only when it takes more than half of a limited width.
func layout(r Report, style Style) table {
	t := table{style: style}
	for _, c := range r.Checks {
		mark, _ := t.markOf(c)
		t.mark = max(t.mark, utf8.RuneCountInString(mark))
		t.name = max(t.name, utf8.RuneCountInString(OneLine(c.Name)))
		t.measured = max(t.measured, utf8.RuneCountInString(cell(c)))
		t.took = max(t.took, utf8.RuneCountInString(Elapsed(c.Duration)))
	}
	if style.Width <= 0 {
		// No text is shortened. A few long texts stick out of their column, so that the
		// ends of all other lines stay in sight.
		t.name, t.measured = min(t.name, wideName), min(t.measured, wideMeasured)
		return t
	}
	const gaps = 2 + 2 + 2 + 2 // before the mark and between the columns
	free := style.Width - gaps - t.mark - t.took
	if t.name+t.measured <= free {
		return t
	}
	t.name = min(t.name, max(minName, free-t.measured, free/2))
	t.measured = max(minMeasured, min(t.measured, free-t.name))
	return t
}

// cell is the text of a check's measured column; a skipped check says why.
func cell(c Check) string {
	if c.Status == Skip {
		return OneLine(firstOf(c.Measured, firstLine(c.Detail)))
	}
	return OneLine(c.Measured)
}

func (t table) check(b *strings.Builder, c Check) {
	mark, colour := t.markOf(c)
	line := fmt.Sprintf("  %s  %s  %s  %s",
		t.paint(colour, pad(mark, t.mark)),
		pad(t.fit(OneLine(c.Name), t.name), t.name),
		pad(t.fit(cell(c), t.measured), t.measured),
		t.paint(ansiDim, pad(Elapsed(c.Duration), -t.took)))
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	if !c.Failed() {
		return
	}
	indent := strings.Repeat(" ", 2+t.mark+2)
	if name := OneLine(c.Name); t.fit(name, t.name) != name {
		fmt.Fprintf(b, "%scheck:    %s\n", indent, name)
	}
	if got := cell(c); t.fit(got, t.measured) != got {
		fmt.Fprintf(b, "%smeasured: %s\n", indent, got)
	}
	if c.Expected != "" {
		fmt.Fprintf(b, "%sexpected: %s\n", indent, OneLine(c.Expected))
	}
	for line := range strings.Lines(strings.TrimRight(Clean(c.Detail), "\n")) {
		b.WriteString(strings.TrimRight(indent+line, " \n") + "\n")
	}
}

func (t table) summary(b *strings.Builder, r Report) {
	n := r.Count()
	text := fmt.Sprintf("%d passed, %d failed", n.Passed, n.Failed)
	if n.Skipped > 0 {
		text += fmt.Sprintf(", %d skipped", n.Skipped)
	}
	colour := ansiGreen
	if !r.OK() {
		colour = ansiRed
	}
	fmt.Fprintf(b, "%s in %s\n", t.paint(colour, text), Elapsed(r.Duration))
}

func (t table) markOf(c Check) (mark, colour string) {
	switch {
	case c.Failed() && t.style.Color:
		return "✗", ansiRed
	case c.Failed():
		return "FAIL", ansiRed
	case c.Status == Skip && t.style.Color:
		return "-", ansiYellow
	case c.Status == Skip:
		return "skip", ansiYellow
	case t.style.Color:
		return "✓", ansiGreen
	}
	return "ok", ansiGreen
}

func (t table) paint(colour, text string) string {
	if !t.style.Color || text == "" {
		return text
	}
	return colour + text + ansiReset
}

// fit shortens text to width code points, with an ellipsis in place of the rest.
func (t table) fit(text string, width int) string {
	if t.style.Width <= 0 || utf8.RuneCountInString(text) <= width {
		return text
	}
	dots := "..."
	if t.style.Color {
		dots = "…"
	}
	keep := max(0, width-utf8.RuneCountInString(dots))
	return string([]rune(text)[:keep]) + dots
}

// pad fills text with spaces up to width code points, on the left when width is
// negative.
func pad(text string, width int) string {
	n := utf8.RuneCountInString(text)
	if width < 0 {
		return strings.Repeat(" ", max(0, -width-n)) + text
	}
	return text + strings.Repeat(" ", max(0, width-n))
}

// Elapsed writes a duration for people, three figures or so: 0.4ms, 12ms, 3.4s,
// 41.2s, 5m03s.
func Elapsed(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + Elapsed(-d)
	case d == 0:
		return "0s"
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1fms", float64(d)/float64(time.Millisecond))
	case d < 999500*time.Microsecond:
		return fmt.Sprintf("%dms", d.Round(time.Millisecond).Milliseconds())
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	}
	s := int(d.Round(time.Second).Seconds())
	if s < 3600 {
		return fmt.Sprintf("%dm%02ds", s/60, s%60)
	}
	return fmt.Sprintf("%dh%02dm%02ds", s/3600, s/60%60, s%60)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}
