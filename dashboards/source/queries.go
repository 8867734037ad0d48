package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	logql "github.com/grafana/grafana-foundation-sdk/go/loki"
	promql "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	traceql "github.com/grafana/grafana-foundation-sdk/go/tempo"
)

// objective is the share of the frontend's requests that may fail: 0.5 %. The
// alerts in config/mimir/rules have the same.
const objective = 0.005

// Parts of selectors. Alloy has metrics of the same names, without service_name.
const (
	chosen      = `service_name=~"$service", k8s_namespace_name=~"$namespace"`
	ofFrontend  = `service_name="frontend", k8s_namespace_name=~"$namespace"`
	inNamespace = `k8s_namespace_name=~"$namespace"`
	onRoute     = chosen + `, http_route=~"$route"`
)

// query makes a query of the letter that it is given.
type query func(refID string) cog.Builder[variants.Dataquery]

// lettered gives queries the letters A, B, C, …
func lettered(queries []query) []cog.Builder[variants.Dataquery] {
	var all []cog.Builder[variants.Dataquery]
	for i, q := range queries {
		all = append(all, q(string(rune('A'+i))))
	}
	return all
}

// option changes a query of Mimir.
type option func(*promql.DataqueryBuilder)

// series draws PromQL over time. legend may be a text with labels: {{job}}.
func series(legend, expr string, options ...option) query {
	return func(refID string) cog.Builder[variants.Dataquery] {
		q := promql.NewDataqueryBuilder().
			RefId(refID).Datasource(mimir).EditorMode(promql.QueryEditorModeCode).
			Range().Format(promql.PromQueryFormatTimeSeries).
			LegendFormat(legend).Expr(expr)
		for _, o := range options {
			o(q)
		}
		return q
	}
}

// cells are the rows of a table: PromQL at the end of the time range.
func cells(expr string) query {
	return series("", expr, func(q *promql.DataqueryBuilder) {
		q.Instant().Format(promql.PromQueryFormatTable)
	})
}

// exemplars shows examples on the graph, each with a link to its trace.
func exemplars(q *promql.DataqueryBuilder) { q.Exemplar(true) }

// buckets is for a heatmap: a series for each bucket of a histogram.
func buckets(q *promql.DataqueryBuilder) {
	q.Format(promql.PromQueryFormatHeatmap)
}

// rare is for series that change every 10 s or 15 s, as do those of the nodes'
// kubelets and of the Go runtime: a rate over the usual 20 s would often see no
// change, or all of it at once.
func rare(q *promql.DataqueryBuilder) { q.Interval("15s") }

// lines are log lines, the newest first.
func lines(expr string) query {
	return func(refID string) cog.Builder[variants.Dataquery] {
		return logql.NewDataqueryBuilder().
			RefId(refID).Datasource(loki).EditorMode(logql.QueryEditorModeCode).
			QueryType("range").Direction(logql.LokiQueryDirectionBackward).MaxLines(100).
			Expr(expr)
	}
}

// spans are the spans that a TraceQL query selects, of 50 traces at most.
func spans(expr string) query {
	return func(refID string) cog.Builder[variants.Dataquery] {
		return traceql.NewTempoQueryBuilder().
			RefId(refID).Datasource(tempo).QueryType("traceql").
			TableType(traceql.SearchTableTypeSpans).Limit(50).Spss(10).
			Query(expr)
	}
}

// serviceGraph is the whole service graph. Grafana makes it of the
// traces_service_graph_* metrics, in the data source that Tempo's is linked to.
func serviceGraph(refID string) cog.Builder[variants.Dataquery] {
	return traceql.NewTempoQueryBuilder().
		RefId(refID).Datasource(tempo).QueryType("serviceMap").
		ServiceMapQuery(traceql.StringOrArrayOfString{String: new("")})
}

// rate is the growth of a counter per second.
func rate(selector string) string { return "rate(" + selector + "[$__rate_interval])" }

// sumBy sums by labels; none sums everything.
func sumBy(labels, expr string) string {
	if labels == "" {
		return "sum(" + expr + ")"
	}
	return "sum by (" + labels + ") (" + expr + ")"
}

// quantile is a quantile of a classic histogram by labels, and nothing where nothing
// was counted; bucket selects its buckets.
func quantile(q, labels, bucket string) string {
	by := "le"
	if labels != "" {
		by = labels + ", le"
	}
	return "histogram_quantile(" + q + ", " + sumBy(by, rate(bucket)) + ") >= 0"
}

// requests and durations select the services' HTTP requests, and the buckets of
// how long they took.
func requests(labels string) string {
	return "http_server_request_duration_seconds_count{" + labels + "}"
}

func durations(labels string) string {
	return "http_server_request_duration_seconds_bucket{" + labels + "}"
}

// errorRatio is the share of requests that were answered with a 5xx: 0 when none
// was, nothing when there were no requests.
func errorRatio(by, labels string) string {
	every := sumBy(by, rate(requests(labels)))
	failed := sumBy(by, rate(requests(labels+`, http_response_status_code=~"5.."`)))
	return "(" + failed + " or 0 * " + every + ") / (" + every + " > 0)"
}

// perSecond is the mean of what config/mimir/rules/losses.yaml counts over five minutes.
// A rate of the counters themselves would not see the first loss, with which they begin.
func perSecond(losses string) string { return "sum(" + losses + ") / 300" }

// perCell is how many observations of a histogram fall into each cell of a heatmap. The
// rate is taken over at least four samples, which is longer than a cell is wide: an
// `increase` over the same time would count each observation in several cells.
func perCell(bucket string) string { return sumBy("le", rate(bucket)) + " * $__interval_ms / 1000" }
