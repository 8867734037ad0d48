package snapshot

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A table is rows of text.
type table struct {
	Columns []column
	Rows    [][]cell
}

// A column of a table.
type column struct {
	Name string
	// Number says that the column has numbers, which are aligned to the right.
	Number bool
}

// A cell is one value of a table, in the colour of its threshold.
type cell struct {
	stat
	// Kind is "code" for an id, "time" for a time, and "" for the rest.
	Kind string
	// order is what a column of numbers or times is sorted by, NaN for an empty cell.
	order float64
}

// maxRows limits the rows of a table.
const maxRows = 20

// drawTable shows a row for each of the panel's series, or for each trace that it has
// found.
func drawTable(v *panelView, p Panel) {
	var t table
	for _, a := range p.Answers {
		if len(a.Traces) > 0 {
			t = traceTable(p, a)
			break
		}
	}
	if t.Columns == nil {
		t = seriesTable(p)
	}
	t.sort(p.Sort)
	if left := len(t.Rows) - maxRows; left > 0 {
		t.Rows = t.Rows[:maxRows]
		v.Notes = append(v.Notes, number(left, "more row is", "more rows are")+" left out")
	}
	if len(t.Rows) > 0 {
		v.Table = &t
	}
}

// sort sorts the rows as the panel says. It ignores columns that the table lacks.
func (t *table) sort(by []dashboards.Sort) {
	for _, s := range slices.Backward(by) { // stable sorts, the most important last
		i := slices.IndexFunc(t.Columns, func(c column) bool { return c.Name == s.Column })
		if i < 0 {
			continue
		}
		slices.SortStableFunc(t.Rows, func(a, b []cell) int {
			order := cmp.Or(cmp.Compare(a[i].order, b[i].order), cmp.Compare(a[i].Value, b[i].Value))
			if s.Descending {
				return -order
			}
			return order
		})
	}
}

// seriesTable has a row for each set of labels and a column for each label, and for
// the value of each query: what Grafana's transformation "merge" makes of them.
func seriesTable(p Panel) table {
	type row struct {
		labels map[string]string
		values map[string]float64
	}
	var rows []*row
	byLabel := map[string]*row{}
	labels := map[string]bool{}
	var values []string
	for _, a := range p.Answers {
		value := "Value"
		if len(p.Answers) > 1 {
			value = "Value #" + a.RefID
		}
		values = append(values, value)
		for _, s := range a.Series {
			key := fmt.Sprint(s.Labels) // sorted by name
			r := byLabel[key]
			if r == nil {
				r = &row{s.Labels, map[string]float64{}}
				byLabel[key] = r
				rows = append(rows, r)
			}
			r.values[value] = reduce(s.Points, cmp.Or(p.Reduce, "lastNotNull"))
			for name := range s.Labels {
				labels[name] = true
			}
		}
	}
	delete(labels, "__name__")
	hidden := func(name string) bool { return slices.Contains(p.Hidden, name) }
	shown := slices.DeleteFunc(slices.Sorted(maps.Keys(labels)), hidden)
	values = slices.DeleteFunc(values, hidden)

	var t table
	for _, name := range shown {
		t.Columns = append(t.Columns, column{Name: renamed(p, name)})
	}
	for _, name := range values {
		t.Columns = append(t.Columns, column{renamed(p, name), true})
	}
	for _, r := range rows {
		var cells []cell
		for _, name := range shown {
			cells = append(cells, cell{stat: stat{Value: r.labels[name]}})
		}
		for _, name := range values {
			c := cell{stat: stat{Value: "–"}, order: math.NaN()}
			if value, ok := r.values[name]; ok {
				c.order = value
				c.stat = valueStat(p.Panel, value, unitFor(p.Panel, renamed(p, name), name))
			}
			cells = append(cells, c)
		}
		t.Rows = append(t.Rows, cells)
	}
	return t
}

func renamed(p Panel, name string) string { return cmp.Or(p.Renamed[name], name) }

// traceTable lists traces, or with the format "spans" the spans of them that the
// query has matched, the latest first.
func traceTable(p Panel, a Answer) table {
	t := table{Columns: []column{{Name: "Start"}, {Name: "Service"}, {Name: "Name"}, {Name: "Duration", Number: true}, {Name: "Trace"}}}
	type entry struct {
		at            time.Time
		service, name string
		took          time.Duration
		id            string
	}
	var entries []entry
	for _, f := range a.Traces {
		if a.Format != "spans" {
			entries = append(entries, entry{f.Start, f.Service, f.Name, f.Duration, f.TraceID})
			continue
		}
		for _, s := range f.Spans {
			service := cmp.Or(s.Attributes["service.name"], s.Attributes["resource.service.name"], f.Service)
			entries = append(entries, entry{s.Start, service, cmp.Or(s.Name, s.Attributes["name"], f.Name), s.Duration, f.TraceID})
		}
	}
	slices.SortStableFunc(entries, func(a, b entry) int { return b.at.Compare(a.at) })
	for _, e := range entries {
		took := stat{Value: format(e.took.Seconds(), "s", p.Decimals)}
		t.Rows = append(t.Rows, []cell{
			{stat: stat{Value: clock(e.at)}, Kind: "time", order: float64(e.at.UnixNano())}, {stat: stat{Value: e.service}}, {stat: stat{Value: e.name}},
			{stat: took, order: e.took.Seconds()}, {stat: stat{Value: e.id}, Kind: "code"},
		})
	}
	return t
}
