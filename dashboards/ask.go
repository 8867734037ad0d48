package dashboards

import (
	"regexp"
	"strings"
	"time"
)

// Finding is what a query is answered with, in the plural.
type Finding string

// The kinds of answer. Which client to ask, and how, follows from them.
const (
	// Series are metrics, of whatever data source.
	Series Finding = "series"
	// Lines are those of a log.
	Lines Finding = "lines"
	// Traces are those that a search finds.
	Traces Finding = "traces"
	// Edges are those of the service graph: who calls whom.
	Edges Finding = "edges"
)

// traceMetrics are TraceQL queries whose answer is metrics: a pipeline with one of
// these functions at its end (grafana.com/docs/tempo/latest/metrics-from-traces).
var traceMetrics = regexp.MustCompile(`\|\s*(rate|compare|\w+_over_time)\s*\(`)

// Finds tells by the query itself what it is answered with.
func (q Query) Finds() Finding {
	switch q.Datasource {
	case Loki:
		// A selector selects lines. What makes metrics of them begins with a function.
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

// Step is the distance of the times that the query is evaluated at over a range: in
// whole seconds, no shorter than that of its samples, and long enough for no more
// than as many steps as wanted, 1 or more. In Grafana that is one for each pixel.
func (q Query) Step(rangeDuration time.Duration, most int) time.Duration {
	step := max(rangeDuration/time.Duration(most), q.MinStep, ScrapeInterval)
	return (step + time.Second - 1).Truncate(time.Second)
}
