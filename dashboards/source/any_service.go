package main

import "strings"

// Services measure what they answer in one of three ways. Each of the expressions here
// takes a service's first one of them:
//
//   - the metrics of HTTP servers, of the current semantic conventions;
//   - those of the convention before it, which counts milliseconds (semantic conventions
//     1.20 and older; opentelemetry.io/docs/specs/semconv/non-normative/http-migration);
//   - the metrics that Tempo makes of its spans. They are of SERVER and CONSUMER spans,
//     for gRPC and messaging; of INTERNAL spans where a service has no other, as jobs do.
type measured struct {
	// current, older and spans select the services, and routes or spans of theirs.
	current, older, spans string
}

var (
	ofChosen = measured{current: chosen, older: chosen, spans: chosen}
	ofRoute  = measured{current: onRoute, older: onRoute, spans: chosen + `, span_name=~"$route"`}
)

const (
	olderCount   = "http_server_duration_milliseconds_count"
	olderBucket  = "http_server_duration_milliseconds_bucket"
	spansCount   = "traces_spanmetrics_calls_total"
	spansBucket  = "traces_spanmetrics_latency_bucket"
	answering    = `span_kind=~"SPAN_KIND_(SERVER|CONSUMER)"`
	working      = `span_kind="SPAN_KIND_INTERNAL"`
	usualWindow  = "$__rate_interval"
	wholeRange   = "$__range"
	byService    = "service_name"
	byRoute      = "service_name, http_route"
	failedSpan   = `status_code="STATUS_CODE_ERROR"`
	failedStatus = `=~"5.."`
)

// first returns the first of four expressions that a service has: of its HTTP metrics, of
// its older HTTP metrics, of spans that answer, of spans that work.
func first(current, older, answers, works string) string {
	has := func(selector string) string { return "count by (service_name) (" + selector + ")" }
	http := has(requests(chosen)) + " or " + has(olderCount+"{"+chosen+"}")
	return current +
		" or (" + older + " unless on (service_name) " + has(requests(chosen)) + ")" +
		" or (" + answers + " unless on (service_name) (" + http + "))" +
		" or (" + works + " unless on (service_name) (" + http + " or " + has(spansCount+"{"+chosen+", "+answering+"}") + "))"
}

// perSecondOf returns what is answered per second, by service or by route. The selectors
// are of all, or of those that failed.
func perSecondOf(by, window string, m measured, failed bool) string {
	current, older, spans := m.current, m.older, m.spans
	if failed {
		current += ", http_response_status_code" + failedStatus
		older += ", http_status_code" + failedStatus
		spans += ", " + failedSpan
	}
	grown := func(name, labels string) string { return sumBy(by, "rate("+name+"{"+labels+"}["+window+"])") }
	return first(
		grown("http_server_request_duration_seconds_count", current),
		grown(olderCount, older),
		ofSpans(by, "rate("+spansCount+"{"+spans+", "+answering+"}["+window+"])"),
		ofSpans(by, "rate("+spansCount+"{"+spans+", "+working+"}["+window+"])"))
}

// ofSpans sums by service, or by route: a span's name stands for its route. The sum by name
// comes first, for spans of one name may have several routes, and these series would be one.
func ofSpans(by, expr string) string {
	if by == byRoute || strings.HasPrefix(by, byRoute+",") {
		byName := strings.Replace(by, "http_route", "span_name", 1)
		expr = `label_replace(` + sumBy(byName, expr) + `, "http_route", "$1", "span_name", "(.+)")`
	}
	return sumBy(by, expr)
}

// failures returns the share of what is answered that failed: 0 if nothing failed, and no
// value if nothing was answered.
func failures(by, window string, m measured) string {
	every := perSecondOf(by, window, m, false)
	return "((" + perSecondOf(by, window, m, true) + ") or 0 * (" + every + ")) / ((" + every + ") > 0)"
}

// took returns a quantile of how long answers took, in seconds, and no value where
// nothing was answered.
func took(q, by, window string, m measured) string {
	of := func(sum string) string { return "histogram_quantile(" + q + ", " + sum + ")" }
	grown := func(name, labels string) string { return "rate(" + name + "{" + labels + "}[" + window + "])" }
	withLe := by + ", le"
	return "(" + first(
		of(sumBy(withLe, grown("http_server_request_duration_seconds_bucket", m.current))),
		of(sumBy(withLe, grown(olderBucket, m.older)))+" / 1000",
		of(ofSpans(withLe, grown(spansBucket, m.spans+", "+answering))),
		of(ofSpans(withLe, grown(spansBucket, m.spans+", "+working)))) + ") >= 0"
}

// spread returns the number of answers in each cell of a heatmap of how long they took: the
// rate times the width of a cell. The rate spans at least four samples, which may be longer
// than a cell, so that an `increase` over the same time would count each answer in several
// cells. The answers are of HTTP metrics if any of the services has these, and of spans otherwise. The older convention's buckets are in
// milliseconds, and PromQL cannot convert a bound, so their services are shown by spans.
func spread(m measured) string {
	return "(" + sumBy("le", rate(durations(m.current))) +
		" or on () " + sumBy("le", rate(spansBucket+"{"+m.spans+", "+answering+"}")) +
		" or on () " + sumBy("le", rate(spansBucket+"{"+m.spans+", "+working+"}")) + ") * $__interval_ms / 1000"
}

// usersOr returns an expression of the frontend if it is among the chosen services, for
// its requests are the users', and otherwise the other expression.
func usersOr(frontend, others string) string {
	return frontend + " or on () " + others
}
