package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// The dashboards work for whatever service is chosen: one with the HTTP metrics of the
// older conventions, one with nothing but spans, one with nothing but log lines. Panels
// that cannot have data of such a service say so.
func TestDashboardsOfGuests(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--no-faults")
	begin := time.Now()
	for range 20 {
		l.sendOlderHTTP("guest-older", begin)
		l.sendSpans("guest-spans", tracepb.Span_SPAN_KIND_SERVER)
		l.sendSpans("guest-job.nightly", tracepb.Span_SPAN_KIND_INTERNAL)
		l.sendSpans("guest-sql", tracepb.Span_SPAN_KIND_CLIENT, "db.system", "postgresql")
		l.mustSend("logs", &logspb.LogsData{ResourceLogs: []*logspb.ResourceLogs{{
			Resource: resource("guest-lines"),
			ScopeLogs: []*logspb.ScopeLogs{{LogRecords: []*logspb.LogRecord{{
				TimeUnixNano: nanos(time.Now()), SeverityNumber: logspb.SeverityNumber_SEVERITY_NUMBER_ERROR, Body: anyValue("it broke"),
			}}}},
		}}})
		time.Sleep(time.Second)
	}
	answered := []string{
		"Overview / Requests", "Overview / Errors, 5 min", "Overview / p99, 5 min",
		"Overview / Requests by service", "Overview / Errors by service", "Overview / Duration by service",
		"Performance / Duration", "Performance / p95 by route", "Performance / Requests by route", "Performance / Routes, over the whole range",
	}
	spans := []string{"service / metrics of its spans", "Performance / How durations are spread", "Performance / p95 by span"}
	var verified sync.WaitGroup
	for _, guest := range []struct {
		name  string
		shown []string // the checks that must pass
	}{
		{"guest-older", answered},
		{"guest-spans", append(spans, answered...)},
		{"guest-job.nightly", append(spans, answered...)},
		{"guest-sql", []string{"Performance / Statements", "Performance / Failed statements"}},
		{"guest-lines", []string{"Overview / Errors in the logs"}},
	} {
		verified.Go(func() {
			l.guestDashboards(guest.name, guest.shown)
		})
	}
	verified.Wait()
	checks, code := l.verifyService("guest-spam")
	if c := checks["service / it sends"]; code != 1 || !c.Failed() || !strings.Contains(c.Detail, "guest-spans") {
		t.Errorf("a service that there is not: exit code %d, %q", code, c.Detail)
	}
}

// guestDashboards checks that none of the panels fails for the guest, and that these
// checks pass and are not skipped.
func (l *testLab) guestDashboards(guest string, shown []string) {
	checks, code := l.verifyService(guest)
	if code != 0 {
		l.Errorf("%s: exit code %d", guest, code)
	}
	for name, c := range checks {
		if c.Failed() {
			l.Errorf("%s: %s: %s", guest, name, c.Detail)
		}
	}
	for _, name := range shown {
		if c, ok := checks[name]; !ok || c.Status != report.Pass {
			l.Errorf("%s: %s has status %q: %s", guest, name, c.Status, c.Detail)
		}
	}
	if c := checks["Performance / Statements"]; !slices.Contains(shown, "Performance / Statements") && (c.Status != report.Skip || !strings.Contains(c.Detail, "no database calls")) {
		l.Errorf("%s: the panel of SQL statements has status %q: %s", guest, c.Status, c.Detail)
	}
}

// verifyService runs verify for one service, and returns its checks by name; those of
// panels are named without their group.
func (l *testLab) verifyService(name string) (checks map[string]report.Check, code int) {
	l.Helper()
	stdout, stderr, code := l.try("verify", "--service", name, "-o", "json")
	var r report.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		l.Errorf("verify --service %s: not a report: %v\n%s%s", name, err, stdout, stderr)
	}
	checks = map[string]report.Check{}
	for _, c := range r.Checks {
		if c.Group != "panels" {
			c.Name = c.Group + " / " + c.Name
		}
		checks[c.Name] = c
	}
	return checks, code
}

// sendOlderHTTP sends the histogram of HTTP requests as SDKs did before version 1.21 of
// the semantic conventions: ten more requests with each call.
func (l *testLab) sendOlderHTTP(service string, begin time.Time) {
	n := 10 * uint64(time.Since(begin)/time.Second+1)
	sum := 20 * float64(n)
	l.mustSend("metrics", &metricspb.MetricsData{ResourceMetrics: []*metricspb.ResourceMetrics{{
		Resource: resource(service, "service.instance.id", "1"),
		ScopeMetrics: []*metricspb.ScopeMetrics{{Metrics: []*metricspb.Metric{{
			Name: "http.server.duration", Unit: "ms",
			Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
				AggregationTemporality: metricspb.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
				DataPoints: []*metricspb.HistogramDataPoint{{
					StartTimeUnixNano: nanos(begin), TimeUnixNano: nanos(time.Now()), Count: n, Sum: &sum,
					ExplicitBounds: []float64{10, 50, 100}, BucketCounts: []uint64{0, n, 0, 0},
					Attributes: attributes("http.method", "GET", "http.route", "/cart", "http.status_code", 200),
				}},
			}},
		}}}},
	}}})
}

// sendSpans sends five root spans of a kind, with these attributes, one of which failed.
func (l *testLab) sendSpans(service string, kind tracepb.Span_SpanKind, keysAndValues ...any) {
	var spans []*tracepb.Span
	for i := range 5 {
		s := &tracepb.Span{
			TraceId: randomBytes(16), SpanId: randomBytes(8), Name: "shop.Cart/Add", Kind: kind, Attributes: attributes(keysAndValues...),
			StartTimeUnixNano: nanos(time.Now().Add(-150 * time.Millisecond)), EndTimeUnixNano: nanos(time.Now()),
		}
		if i == 0 {
			s.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
		}
		spans = append(spans, s)
	}
	l.mustSend("traces", &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: resource(service), ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
	}}})
}
