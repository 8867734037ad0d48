package snapshot

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A panelView is a panel as the page shows it.
type panelView struct {
	Anchor             string
	Title, Description string
	Type               string
	// Place is the panel's place on the grid of its row.
	Place template.CSS
	State State
	// Message is shown instead of data, and Problems above the data.
	Message  string
	Problems []string

	// The data are in one of these fields.
	Plot  *plot
	Stats []stat
	Table *table
	Lines []logLine
	// More are further log lines, which the page shows on demand.
	More   []logLine
	Calls  []callRow
	Legend []legendRow
	// Heat is the value that the darkest shade of a heat map stands for.
	Heat string

	Notes   []string
	Queries []queryView
}

// A queryView is a query with its outcome.
type queryView struct {
	Name, Datasource, Asked string
	Count                   string
	Took                    string
	Err                     string
}

// view draws a panel.
func view(d Dashboard, p Panel) panelView {
	v := panelView{
		Anchor: anchor(d, p), Title: p.Title, Description: p.Description, Type: p.Type, State: p.State,
	}
	for _, a := range p.Answers {
		v.Queries = append(v.Queries, viewQuery(a))
		if a.Err != nil {
			v.Problems = append(v.Problems, report.Clean(a.Err.Error()))
		}
	}
	switch p.State {
	case Quiet:
		v.Message = p.NoValue
	case Empty:
		v.Problems = append(v.Problems, "No data, and there should be some.")
	}
	if err := draw(&v, p); err != nil {
		v.Problems = append(v.Problems, report.Clean(err.Error()))
	}
	return v
}

// unfolded is the number of log lines that the page shows at first.
const unfolded = 15

// draw shows the answers as the panel's type says, and as a table if this package does
// not know the type.
func draw(v *panelView, p Panel) error {
	for _, a := range p.Answers {
		v.Lines = append(v.Lines, logLines(a.Lines)...)
		v.Calls = append(v.Calls, callRows(a.Calls)...)
	}
	if len(v.Lines) > unfolded {
		v.Lines, v.More = v.Lines[:unfolded], v.Lines[unfolded:]
	}
	var err error
	switch p.Type {
	case "timeseries", "barchart", "trend", "graph":
		err = drawTimeseries(v, p)
	case "heatmap":
		err = drawHeatmap(v, p)
	case "stat", "gauge", "bargauge":
		err = stats(v, p)
	}
	if err == nil && v.Plot == nil && v.Stats == nil && v.Lines == nil && v.Calls == nil {
		drawTable(v, p)
	}
	return err
}

// singular has the word for one result of each kind.
var singular = map[dashboards.Finding]string{
	dashboards.Series: "series", dashboards.Lines: "line", dashboards.Traces: "trace", dashboards.Edges: "edge",
}

func viewQuery(a Answer) queryView {
	q := queryView{Name: a.RefID, Datasource: a.Datasource, Asked: a.Asked, Took: report.Elapsed(a.Took)}
	if a.Finds() == dashboards.Edges {
		q.Asked = cmp.Or(q.Asked, "(the whole service graph)")
	}
	if a.Err != nil {
		q.Err = "not answered"
		return q
	}
	q.Count = number(a.Count(), singular[a.Finds()], string(a.Finds()))
	return q
}

// number writes a number with the word for what it counts.
func number(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return strconv.Itoa(n) + " " + many
}

// anchor returns the id of the panel's element on the page.
func anchor(d Dashboard, p Panel) string { return d.UID + "-" + strconv.Itoa(p.ID) }

// A rowView is a row of a dashboard with its panels.
type rowView struct {
	Title string
	// Skipped are the titles of panels that need a cluster, in a lab that is not in one.
	Skipped []string
	Panels  []panelView
}

// rows draws the panels of a dashboard, by row.
func rows(d Dashboard) []rowView {
	var all []rowView
	for from := 0; from < len(d.Panels); {
		to := from
		for to < len(d.Panels) && d.Panels[to].Row == d.Panels[from].Row {
			to++
		}
		all = append(all, row(d, d.Panels[from:to]))
		from = to
	}
	return all
}

func row(d Dashboard, panels []Panel) rowView {
	r := rowView{Title: panels[0].Row}
	var shown []Panel
	for _, p := range panels {
		if p.State == Skipped {
			r.Skipped = append(r.Skipped, p.Title)
			continue
		}
		shown = append(shown, p)
	}
	// The page has a grid line only where a panel begins or ends, and between them as much
	// room as the panels need. So the numbers of Grafana's grid lines are replaced.
	var edges []int
	for _, p := range shown {
		edges = append(edges, p.Grid.Y, p.Grid.Y+p.Grid.H)
	}
	slices.Sort(edges)
	edges = slices.Compact(edges)
	for _, p := range shown {
		v := view(d, p)
		top, _ := slices.BinarySearch(edges, p.Grid.Y)
		bottom, _ := slices.BinarySearch(edges, p.Grid.Y+p.Grid.H)
		v.Place = template.CSS(fmt.Sprintf("grid-area:%d/%d/%d/span %d", top+1, p.Grid.X+1, bottom+1, max(1, p.Grid.W)))
		r.Panels = append(r.Panels, v)
	}
	return r
}
