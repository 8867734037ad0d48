// Package dashboards holds the lab's Grafana dashboards and reads them.
//
// Each *.json file here is a dashboard as Grafana loads it. The files are written
// by the code in dashboards/source: never edit them. To add or change a panel,
// edit the code there, run
//
//	go generate ./dashboards
//
// and commit both. `go test ./dashboards/...` fails when the two differ, and says
// of a panel what is missing: a title, a description that says what to do, a
// unit, a place of its own on the grid, a query that parses. `lab verify` then
// runs every query of every panel against the lab.
//
// A panel that is rightly empty when all is well has Grafana's noValue text ("No
// errors in this range"). A panel that only a cluster can fill is in a row whose
// title ends in Kubernetes.
package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

//go:generate go run ./source

// Kubernetes is how the title of a row ends whose panels only a cluster can fill.
const Kubernetes = "(Kubernetes)"

// The types of data source, as Query.Datasource has them.
const (
	Prometheus = "prometheus"
	Loki       = "loki"
	Tempo      = "tempo"
)

// Kinds of query of Loki and Tempo, as Query.QueryType has them.
const (
	LokiRange   = "range"
	LokiInstant = "instant"
	// TempoTraceQL is a search for traces, or a TraceQL metrics query.
	TempoTraceQL = "traceql"
	// TempoServiceMap is the service graph: Grafana makes it from metrics in Mimir,
	// so Query.Expr is a PromQL selector, or nothing for the whole graph.
	TempoServiceMap = "serviceMap"
)

//go:embed *.json
var files embed.FS

// Dashboard is one dashboard.
type Dashboard struct {
	// File is the name of its file in this folder.
	File                    string
	UID, Title, Description string
	Tags                    []string
	Variables               []Variable
	// Links lead from the top of the dashboard to others.
	Links []Link
	// Rows are its rows, from the top.
	Rows []Row
	// Panels are all panels but the rows, from the top, those of collapsed rows too.
	Panels []Panel
	// From is the beginning of its usual time range, "now-30m"; To its end.
	From, To string
	// Refresh is how often it reloads: "10s".
	Refresh string
}

// Variable is what the reader of a dashboard can choose, at its top.
type Variable struct {
	// Name is how queries refer to it: $Name.
	Name, Label string
	// Type is query, custom, datasource, …
	Type string
	// Query is what its values come from: for a Prometheus variable
	// label_values(metric, label), for a custom one the values themselves.
	Query string
	// Datasource is the type of the data source that Query is for, "" for none.
	Datasource string
	// Default is the value that it has at first; "$__all" stands for all of them.
	Default string
	// AllValue is what "$__all" is in a query, "" for .*
	AllValue string
	// Multi says that several values can be chosen.
	Multi bool
}

// Link leads from a dashboard or a panel to somewhere else.
type Link struct {
	Title string
	// Type is "dashboards", for those with all of Tags, or "link", for URL.
	Type, URL string
	Tags      []string
}

// Row is a line across the dashboard with a title, above the panels that belong to
// it.
type Row struct {
	ID    int
	Title string
	Grid  Grid
	// Collapsed says that its panels are hidden until the row is clicked. They have
	// their places below it all the same.
	Collapsed bool
}

// Panel is one panel of a dashboard.
type Panel struct {
	ID int
	// Row is the title of the row that it is in, "" for none.
	Row                string
	Title, Description string
	// Type is Grafana's: timeseries, stat, gauge, bargauge, heatmap, table, logs,
	// nodeGraph, text, …
	Type string
	// Unit is Grafana's id of the unit: s, bytes, reqps, percentunit, short, …; ""
	// when it has none.
	Unit string
	// NoValue is what Grafana shows for no data. Only a panel that has it may be empty.
	NoValue string
	Grid    Grid
	// Thresholds are in rising order; the first begins at -Inf.
	Thresholds []Threshold
	// Decimals is the number of decimals, nil for as many as look good.
	Decimals *int
	// Min and Max bound the axis, nil for what the data need.
	Min, Max *float64
	// Stacked says that the series of a timeseries panel lie upon each other.
	Stacked bool
	// Reduce is what a stat or gauge shows of a series: lastNotNull, mean, max, …
	Reduce string
	// Values are texts for single values: 1 → up.
	Values []ValueText
	// Fields differ from the panel in some respect, such as a column's unit.
	Fields []Field
	// Hidden are the columns of a table that it does not show; Renamed are names
	// that it shows for others.
	Hidden  []string
	Renamed map[string]string
	// Sort is what a table's rows are sorted by at first, the most important first.
	Sort    []Sort
	Links   []Link
	Queries []Query
}

// InCluster says that only a cluster can fill the panel.
func (p Panel) InCluster() bool { return strings.HasSuffix(p.Row, Kubernetes) }

// Grid is a panel's place: 24 columns, rows of 30 pixels and 8 between.
type Grid struct{ X, Y, W, H int }

// Threshold is where a colour begins.
type Threshold struct {
	// Value is the lowest value of the colour, -Inf for the first.
	Value float64
	// Color is Grafana's name: green, orange, red, transparent, …
	Color string
}

// ValueText is what a panel shows for a value.
type ValueText struct{ Value, Text, Color string }

// Field is how some of a panel's series or columns differ from the others.
type Field struct {
	// By is how they are found, byName or byRegexp, and Match by what.
	By, Match string
	// Unit is "" when it is the panel's.
	Unit string
}

// Sort is a column that rows are sorted by, by the name that the table shows.
type Sort struct {
	Column     string
	Descending bool
}

// Query is one query of a panel.
type Query struct {
	RefID string
	// Datasource is the type of the data source, and UID its id in
	// config/grafana/provisioning/datasources.
	Datasource, UID string
	// Expr is PromQL, LogQL or TraceQL, with variables.
	Expr string
	// Legend names the series: {{label}} is the label's value. "" or "__auto" leave
	// it to Grafana.
	Legend string
	// QueryType is one of the constants above; "" for Prometheus.
	QueryType string
	// Instant asks for the values at the end of the time range only.
	Instant bool
	// Format is Prometheus': time_series, table, heatmap; or Tempo's: traces, spans.
	Format string
	// Limit is the largest number of lines or traces, 0 for the data source's own.
	Limit int
	// Exemplar asks for the exemplars of the series too.
	Exemplar bool
	// MinStep is the shortest step, and the distance of the samples that
	// $__rate_interval reckons with; 0 for the data source's, ScrapeInterval.
	MinStep time.Duration
	// Hidden says that Grafana does not show what it returns.
	Hidden bool
}

// All returns every dashboard of the folder, by the name of its file.
func All() ([]Dashboard, error) {
	names, err := fs.Glob(files, "*.json")
	if err != nil {
		return nil, err
	}
	var all []Dashboard
	for _, name := range names {
		data, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		d, err := Read(name, data)
		if err != nil {
			return nil, fmt.Errorf("dashboards/%s: %w; is it as `go generate ./dashboards` wrote it?", name, err)
		}
		all = append(all, d)
	}
	return all, nil
}
