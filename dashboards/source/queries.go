package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	logql "github.com/grafana/grafana-foundation-sdk/go/loki"
	promql "github.com/grafana/grafana-foundation-sdk/go/prometheus"
	traceql "github.com/grafana/grafana-foundation-sdk/go/tempo"
)

// objective is the share of the frontend's requests that may fail, 0.5 %, as in the
// alerts in config/mimir/rules.
const objective = 0.005

// Parts of selectors. Alloy has metrics of the same names without service_name.
const (
	chosen      = `service_name=~"$service", k8s_namespace_name=~"$namespace"`
	inNamespace = `k8s_namespace_name=~"$namespace"`
	onRoute     = chosen + `, http_route=~"$route"`
)

// query builds a query with the given letter.
type query func(refID string) cog.Builder[variants.Dataquery]

// lettered gives the queries the letters A, B, C, …
func lettered(queries []query) []cog.Builder[variants.Dataquery] {
	var all []cog.Builder[variants.Dataquery]
	for i, q := range queries {
		all = append(all, q(string(rune('A'+i))))
	}
	return all
}

// option changes a query of Mimir.
type option func(*promql.DataqueryBuilder)

// series is PromQL over time. The legend may contain labels: {{job}}.
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

// cells is PromQL at the end of the time range, for the rows of a table.
func cells(expr string) query {
	return series("", expr, func(q *promql.DataqueryBuilder) {
		q.Instant().Format(promql.PromQueryFormatTable)
	})
}

// exemplars shows exemplars on the graph, each with a link to its trace.
func exemplars(q *promql.DataqueryBuilder) { q.Exemplar(true) }

// buckets makes the query one for a heatmap: a series for each bucket of a histogram.
func buckets(q *promql.DataqueryBuilder) {
	q.Format(promql.PromQueryFormatHeatmap)
}

// rare is for series that change every 10 s or 15 s, such as those of kubelets and of the
// Go runtime: a rate over the usual 20 s would often see no change, or two at once.
func rare(q *promql.DataqueryBuilder) { q.Interval("15s") }

// lines queries log lines, the newest first.
func lines(expr string) query {
	return func(refID string) cog.Builder[variants.Dataquery] {
		return logql.NewDataqueryBuilder().
			RefId(refID).Datasource(loki).EditorMode(logql.QueryEditorModeCode).
			QueryType("range").Direction(logql.LokiQueryDirectionBackward).MaxLines(100).
			Expr(expr)
	}
}

// spans queries the spans that TraceQL selects, of at most 50 traces.
func spans(expr string) query {
	return func(refID string) cog.Builder[variants.Dataquery] {
		return traceql.NewTempoQueryBuilder().
			RefId(refID).Datasource(tempo).QueryType("traceql").
			TableType(traceql.SearchTableTypeSpans).Limit(50).Spss(10).
			Query(expr)
	}
}

// serviceGraph queries the whole service graph. Grafana makes it from the metrics
// traces_service_graph_*, in the data source that is linked to Tempo's.
func serviceGraph(refID string) cog.Builder[variants.Dataquery] {
	return traceql.NewTempoQueryBuilder().
		RefId(refID).Datasource(tempo).QueryType("serviceMap").
		ServiceMapQuery(traceql.StringOrArrayOfString{String: new("")})
}

// rate returns the growth of a counter per second.
func rate(selector string) string { return "rate(" + selector + "[$__rate_interval])" }

// sumBy sums by labels, or over everything if there are none.
func sumBy(labels, expr string) string {
	if labels == "" {
		return "sum(" + expr + ")"
	}
	return "sum by (" + labels + ") (" + expr + ")"
}

// quantile returns a quantile of a classic histogram by labels, and no value where the
// histogram counted nothing. bucket selects the histogram's buckets.
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

// perSecond returns the mean per second of losses that config/mimir/rules/losses.yaml
// counts over five minutes. A rate of the counters themselves would not see the first
// loss, because the counters begin with it.
func perSecond(losses string) string { return "sum(" + losses + ") / 300" }
