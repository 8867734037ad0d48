package snapshot

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

//go:embed page.html
var pageText string

//go:embed page.css
var pageSheet string

// page is the page's template. It has no script, and its content security policy forbids
// scripts: whatever a label or a log line contains is text.
var page = template.Must(template.New("page.html").Funcs(template.FuncMap{
	"percent": style,
	"join":    strings.Join,
	"number":  number,
	"shades":  shades,
}).Parse(pageText))

// shades are the numbers of a heat map's shades, the lightest first.
func shades() []int {
	all := make([]int, heatLevels)
	for i := range all {
		all[i] = i + 1
	}
	return all
}

// pageView has the values for the template.
type pageView struct {
	Sheet      template.CSS
	Target     string
	Commit     string
	Taken      string
	Took       string
	Counts     []countView
	Failed     []problemView
	Empty      []problemView
	Dashboards []dashboardView
}

// A countView is how many panels are in a state.
type countView struct {
	State State
	N     int
	Text  string
}

// A problemView is a panel to look at.
type problemView struct{ Anchor, Dashboard, Title string }

// A dashboardView is a dashboard as the page shows it.
type dashboardView struct {
	UID, Title, Description string
	Range                   string
	Variables               []string
	Panels                  int
	Rows                    []rowView
}

// stateTexts describe the states, in the order in which the page lists them.
var stateTexts = []struct {
	state State
	text  string
}{
	{Failed, "with a query that failed"},
	{Empty, "without the data they should have"},
	{Shown, "with data"},
	{Quiet, "rightly empty"},
	{Skipped, "for a cluster only"},
}

// Write writes the snapshot as one HTML page.
func Write(w io.Writer, s Snapshot) error {
	v := pageView{
		Sheet: template.CSS(pageSheet), Target: s.Target, Commit: s.Commit,
		Taken: s.Taken.UTC().Format("2 January 2006, 15:04:05 UTC"), Took: report.Elapsed(s.Took),
	}
	count := map[State]int{}
	for _, d := range s.Dashboards {
		v.Dashboards = append(v.Dashboards, viewDashboard(d))
		for _, p := range d.Panels {
			count[p.State]++
			problem := problemView{anchor(d, p), d.Title, p.Title}
			switch p.State {
			case Failed:
				v.Failed = append(v.Failed, problem)
			case Empty:
				v.Empty = append(v.Empty, problem)
			}
		}
	}
	for _, t := range stateTexts {
		if n := count[t.state]; n > 0 || t.state == Failed {
			v.Counts = append(v.Counts, countView{t.state, n, t.text})
		}
	}
	var b bytes.Buffer
	if err := page.Execute(&b, v); err != nil {
		return fmt.Errorf("drawing the snapshot: %w", err)
	}
	_, err := b.WriteTo(w)
	return err
}

func viewDashboard(d Dashboard) dashboardView {
	v := dashboardView{
		UID: d.UID, Title: d.Title, Description: d.Description, Panels: len(d.Panels), Rows: rows(d),
		Range: rangeText(d.TimeRange),
	}
	for _, name := range slices.Sorted(maps.Keys(d.Values)) {
		v.Variables = append(v.Variables, name+" = "+d.Values[name])
	}
	return v
}

// rangeText writes a time range: 14:05:10 – 14:20:10 UTC, 15m00s.
func rangeText(s TimeRange) string {
	from, to := s.From.UTC(), s.To.UTC()
	begin := from.Format(time.TimeOnly)
	if from.Format(time.DateOnly) != to.Format(time.DateOnly) {
		begin = from.Format("2 Jan 15:04:05")
	}
	return fmt.Sprintf("%s – %s UTC, %s", begin, to.Format(time.TimeOnly), report.Elapsed(s.Length().Round(time.Second)))
}
