package dashboards

import (
	"regexp"
	"strings"
	"time"
)

// Finding is the kind of result that a query has, in the plural.
type Finding string

// The kinds of result. They decide which client runs the query, and how.
const (
	// Series are metrics, from any data source.
	Series Finding = "series"
	// Lines are log lines.
	Lines Finding = "lines"
	// Traces are the results of a search.
	Traces Finding = "traces"
	// Edges are those of the service graph: which service calls which.
	Edges Finding = "edges"
)

// traceMetrics matches TraceQL queries whose result is metrics: one of these functions
// ends their pipeline (grafana.com/docs/tempo/latest/metrics-from-traces).
var traceMetrics = regexp.MustCompile(`\|\s*(rate|compare|\w+_over_time)\s*\(`)

// Finds returns the kind of result that the query has, as its text says.
func (q Query) Finds() Finding {
	switch q.Datasource {
	case Loki:
		// A query that begins with a selector returns lines, one that begins with a
		// function returns metrics.
		if strings.HasPrefix(strings.TrimLeft(q.Expr, "( \t\n"), "{") {
			return Lines
		}
	case Tempo:
		switch {
		case q.QueryType == TempoServiceMap:
			return Edges
		case !traceMetrics.MatchString(q.Expr):
			return Traces
		}
	}
	return Series
}

// Step returns the distance between the times at which the query is evaluated over a
// range, in whole seconds. It is not shorter than the distance of the samples, and long
// enough for at most so many steps, 1 or more. Grafana has one step for each pixel.
func (q Query) Step(rangeDuration time.Duration, most int) time.Duration {
	step := max(rangeDuration/time.Duration(most), q.MinStep, ScrapeInterval)
	return (step + time.Second - 1).Truncate(time.Second)
}
