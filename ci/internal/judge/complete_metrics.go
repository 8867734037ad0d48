package judge

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// serverMetrics count the requests of an HTTP server: by the current convention, and by the
// older ones.
var serverMetrics = []string{
	"http_server_request_duration_seconds_count",
	"http_server_duration_milliseconds_count",
	"http_server_duration_seconds_count",
}

// spanMetric counts spans. Tempo makes it, of every service's spans.
const spanMetric = "traces_spanmetrics_calls_total"

// counted asks that each request is counted once.
func (v *Verdict) counted(ctx context.Context, mimir query.Mimir, counter cases.Query, scope Scope, traces map[string][]query.Span) error {
	if counter.Text != "" {
		return v.countedBy(ctx, mimir, counter, scope)
	}
	served := serverSpans(traces)
	if len(served) == 0 {
		v.Failures = append(v.Failures, Failure{Rule: "complete.metrics", Message: "no service has handled a request, as far as the spans of kind server say; metrics: {promql: …} names a counter"})
	}
	for _, service := range slices.Sorted(maps.Keys(served)) {
		if err := v.countedService(ctx, mimir, service, served[service], scope); err != nil {
			return err
		}
	}
	return nil
}

// countedBy asks that the case's own counter has grown by the number of requests.
func (v *Verdict) countedBy(ctx context.Context, mimir query.Mimir, counter cases.Query, scope Scope) error {
	narrowed, err := narrowPromQL(counter.Text, scope.RunID)
	if err != nil {
		return err
	}
	total, series, err := growth(ctx, mimir, narrowed, scope)
	if err != nil {
		return err
	}
	if want := float64(len(scope.TraceIDs)); total != want || len(series) == 0 {
		v.Failures = append(v.Failures, Failure{
			"complete.metrics", fmt.Sprintf("%s has counted %s of %s", narrowed, number(total), counted(len(scope.TraceIDs), "request")),
			firstLines(seriesAnswer(series).text),
		})
	}
	return nil
}

// served is what a service has handled: its spans of kind server.
type served struct {
	spans int
	// names and routes are those of the spans; a span without a route has "".
	names, routes map[string]bool
}

func serverSpans(traces map[string][]query.Span) map[string]served {
	all := map[string]served{}
	for _, spans := range traces {
		for _, s := range spans {
			if s.Kind != query.Server {
				continue
			}
			of, known := all[s.Service]
			if !known {
				of = served{names: map[string]bool{}, routes: map[string]bool{}}
			}
			of.spans++
			of.names[s.Name] = true
			of.routes[s.Attributes["http.route"]] = true
			all[s.Service] = of
		}
	}
	return all
}

// countedService asks that a service's metrics count what its spans say that it has
// handled. Requests of others to the same routes, such as the question whether it is
// ready, are spans of the run, too.
func (v *Verdict) countedService(ctx context.Context, mimir query.Mimir, service string, of served, scope Scope) error {
	run := ""
	if scope.RunID != "" {
		run = "," + runid.Label + "=" + strconv.Quote(scope.RunID)
	}
	selector := func(metric, label string, values map[string]bool) string {
		return fmt.Sprintf("sum(%s{service_name=%q%s%s})", metric, service, run, oneOf(label, values))
	}
	spans := func(names map[string]bool) (float64, []query.Series, error) {
		return growth(ctx, mimir, selector(spanMetric, "span_kind=\"SPAN_KIND_SERVER\",span_name", names), scope)
	}
	for _, metric := range serverMetrics {
		total, series, err := growth(ctx, mimir, selector(metric, "http_route", of.routes), scope)
		if err != nil {
			return err
		}
		if len(series) == 0 {
			continue
		}
		if total == float64(of.spans) {
			return nil
		}
		all, _, err := growth(ctx, mimir, selector(metric, "", nil), scope)
		if err != nil {
			return err
		}
		if inSpans, _, err := spans(nil); err != nil || inSpans == all {
			return err
		}
		v.Failures = append(v.Failures, Failure{Rule: "complete.metrics", Message: fmt.Sprintf(
			"%s has handled %s, and %s has counted %s", service, counted(of.spans, "request"), metric, number(total))})
		return nil
	}
	total, series, err := spans(of.names)
	switch {
	case err != nil:
		return err
	case len(series) == 0:
		v.Failures = append(v.Failures, Failure{Rule: "complete.metrics", Message: fmt.Sprintf(
			"%s has handled %s, and no metric counts them: neither %s nor %s", service, counted(of.spans, "request"), serverMetrics[0], spanMetric)})
	case total != float64(of.spans):
		v.Failures = append(v.Failures, Failure{Rule: "complete.metrics", Message: fmt.Sprintf(
			"%s has handled %s, and %s has counted %s", service, counted(of.spans, "request"), spanMetric, number(total))})
	}
	return nil
}

// oneOf is a matcher for one of some values, behind a comma; label may have further
// matchers before it. Without values it is only those.
func oneOf(label string, values map[string]bool) string {
	before, last := "", label
	if at := strings.LastIndexByte(label, ','); at >= 0 {
		before, last = ","+label[:at], label[at+1:]
	}
	if len(values) == 0 {
		return before
	}
	var all []string
	for _, value := range slices.Sorted(maps.Keys(values)) {
		all = append(all, regexp.QuoteMeta(value))
	}
	return before + "," + last + "=~" + strconv.Quote(strings.Join(all, "|"))
}

// growth is by how much a counter has grown since the run began: all of it when its series
// are the run's own.
func growth(ctx context.Context, mimir query.Mimir, promQL string, scope Scope) (float64, []query.Series, error) {
	now, err := mimir.At(ctx, promQL, time.Now())
	if err != nil {
		return 0, nil, err
	}
	total := sum(now)
	if scope.RunID == "" {
		then, err := mimir.At(ctx, promQL, scope.Since)
		if err != nil {
			return 0, nil, err
		}
		total -= sum(then)
	}
	return total, now, nil
}

func sum(series []query.Series) float64 {
	total := 0.0
	for _, s := range series {
		if n := len(s.Points); n > 0 {
			total += s.Points[n-1].Value
		}
	}
	return total
}
