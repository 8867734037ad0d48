// Package dashboards holds the lab's Grafana dashboards and reads them.
//
// Each *.json file here is a dashboard as Grafana loads it. The files are written
// by the code in dashboards/source: never edit them. To add or change a panel,
// edit the code there, run
//
//	go generate ./dashboards
//
// and commit both. `go test ./dashboards/...` fails when the two differ, and when a panel
// lacks something: a title, a description that says what to do, a unit, a place of its
// own on the grid, a query that parses. `lab verify` then runs every query of every panel
// against the lab.
//
// A panel that is empty when all is well has Grafana's noValue text ("No errors in this
// range"). One that only services of some kind can fill has a noValue that begins with
// [DoesNotApply]. A panel that needs a cluster is in a row whose title ends in [Kubernetes].
package dashboards

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
	"time"
)

//go:generate go run ./source

// Kubernetes ends the title of a row whose panels need a cluster.
const Kubernetes = "(Kubernetes)"

// DoesNotApply begins the noValue of a panel that only services of some kind fill: those
// that call a database, say. The lab's own services fill every one of them.
const DoesNotApply = "Does not apply: "

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

// Files returns the dashboards' files, as Grafana loads them.
func Files() fs.FS { return files }

// Dashboard is one dashboard.
type Dashboard struct {
	// File is the name of the dashboard's file in this folder.
	File                    string
	UID, Title, Description string
	Tags                    []string
	Variables               []Variable
	// Links lead from the top of the dashboard to others.
	Links []Link
	// Rows are in order from the top.
	Rows []Row
	// Panels are in order from the top, without the rows, and with the panels of collapsed
	// rows.
	Panels []Panel
	// From is the beginning of the default time range, "now-30m"; To is its end.
	From, To string
	// Refresh is how often the dashboard reloads: "10s".
	Refresh string
}

// Variable is a choice at the top of a dashboard.
type Variable struct {
	// Name is how queries refer to it: $Name.
	Name, Label string
	// Type is query, custom, datasource, …
	Type string
	// Query gives the values: label_values(metric, label) for a Prometheus variable, the
	// values themselves for a custom one.
	Query string
	// Datasource is the type of the data source that Query is for, "" for none.
	Datasource string
	// Default is the first value; "$__all" stands for all values.
	Default string
	// AllValue replaces "$__all" in a query; "" means .*
	AllValue string
	// Multi says that several values can be chosen.
	Multi bool
}

// Link leads from a dashboard or a panel to another page.
type Link struct {
	Title string
	// Type is "dashboards" for all dashboards with these Tags, or "link" for the URL.
	Type, URL string
	Tags      []string
}

// Row is a line across the dashboard with a title. Its panels are below it.
type Row struct {
	ID    int
	Title string
	Grid  Grid
	// Collapsed says that the panels are hidden until the row is clicked. They have places
	// on the grid all the same.
	Collapsed bool
}

// Panel is one panel of a dashboard.
type Panel struct {
	ID int
	// Row is the title of the panel's row, "" if it is in none.
	Row                string
	Title, Description string
	// Type is Grafana's: timeseries, stat, gauge, bargauge, heatmap, table, logs,
	// nodeGraph, text, …
	Type string
	// Unit is Grafana's id of the unit: s, bytes, reqps, percentunit, short, …; "" for none.
	Unit string
	// NoValue is what Grafana shows without data. Only a panel with this text may be empty;
	// see MayBeEmpty.
	NoValue string
	Grid    Grid
	// Thresholds are in rising order. The first begins at -Inf.
	Thresholds []Threshold
	// Decimals is the number of decimals, nil to let Grafana choose.
	Decimals *int
	// Min and Max are the ends of the axis, nil to follow the data.
	Min, Max *float64
	// Stacked says that the series of a timeseries panel are stacked.
	Stacked bool
	// Reduce is how a stat or gauge makes one value of a series: lastNotNull, mean, max, …
	Reduce string
	// Values are texts that replace single values: 1 → up.
	Values []ValueText
	// Fields override settings of the panel for some series or columns.
	Fields []Field
	// Hidden are the columns that a table does not show. Renamed has the names that it
	// shows instead of others.
	Hidden  []string
	Renamed map[string]string
	// Sort is the first order of a table's rows, the most important column first.
	Sort    []Sort
	Links   []Link
	Queries []Query
}

// InCluster reports whether the panel needs a cluster.
func (p Panel) InCluster() bool { return strings.HasSuffix(p.Row, Kubernetes) }

// MayBeEmpty says whether the panel may be empty for the lab's own services: when all is
// well, or when the machine does not measure something.
func (p Panel) MayBeEmpty() bool {
	return p.NoValue != "" && !strings.HasPrefix(p.NoValue, DoesNotApply)
}

// Grid is a panel's place on 24 columns. A row of the grid has 30 pixels, and 8 between
// two rows.
type Grid struct{ X, Y, W, H int }

// Threshold is the value at which a colour begins.
type Threshold struct {
	// Value is the lowest value of the colour, -Inf for the first.
	Value float64
	// Color is Grafana's name: green, orange, red, transparent, …
	Color string
}

// ValueText is a text that a panel shows instead of a value.
type ValueText struct{ Value, Text, Color string }

// Field overrides settings for some of a panel's series or columns.
type Field struct {
	// By is byName or byRegexp, and Match the name or regular expression.
	By, Match string
	// Unit is "" if the panel's applies.
	Unit string
}

// Sort is a column to sort by, with the name that the table shows.
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
	// Legend names the series; {{label}} is the label's value. "" and "__auto" leave the
	// names to Grafana.
	Legend string
	// QueryType is one of the constants above; "" for Prometheus.
	QueryType string
	// Instant asks for the values at the end of the time range only.
	Instant bool
	// Format is Prometheus': time_series, table, heatmap; or Tempo's: traces, spans.
	Format string
	// Limit is the largest number of lines or traces, 0 for the data source's default.
	Limit int
	// Exemplar asks for the series' exemplars, too.
	Exemplar bool
	// MinStep is the shortest step, and the distance of the samples that $__rate_interval
	// assumes; 0 for the data source's, [ScrapeInterval].
	MinStep time.Duration
	// Hidden says that Grafana does not show the result.
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
