package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// scored is the JSON of `lab score`.
type scored struct {
	score.Card
	Findings []findings.Finding `json:"findings"`
}

// failed are the ids of the rules that the service fails.
func (s scored) failed() (ids []string) {
	for _, r := range s.Rules {
		if r.Outcome == score.Failed {
			ids = append(ids, r.ID)
		}
	}
	return ids
}

// kinds are those of the findings, each once.
func (s scored) kinds() (kinds []string) {
	for _, f := range s.Findings {
		kinds = append(kinds, string(f.Kind))
	}
	slices.Sort(kinds)
	return slices.Compact(kinds)
}

// score asks for a service's score; false while the inspector has seen nothing of it.
func (l *testLab) score(service string) (s scored, ok bool) {
	l.Helper()
	stdout, stderr, code := l.try("score", service, "-o", "json")
	if code != 0 {
		if !strings.Contains(stderr, "the inspector has seen nothing") {
			l.Fatalf("lab score %q: exit code %d: %s", service, code, stderr)
		}
		return s, false
	}
	if err := json.Unmarshal([]byte(stdout), &s); err != nil {
		l.Fatal(err)
	}
	return s, true
}

// sendFrom sends spans of one resource.
func (l *testLab) sendFrom(from *resourcepb.Resource, all ...*tracepb.Span) {
	l.Helper()
	l.mustSend("traces", &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: from, ScopeSpans: []*tracepb.ScopeSpans{{Spans: all}},
	}}})
}

// child is a span below another, of the same trace.
func child(of *tracepb.Span, name string, kind tracepb.Span_SpanKind, lasts time.Duration) *tracepb.Span {
	s, _ := newSpan(name)
	s.TraceId, s.ParentSpanId, s.Kind = of.TraceId, of.SpanId, kind
	s.EndTimeUnixNano = s.StartTimeUnixNano + uint64(lasts)
	return s
}

// bucketed is a histogram of 100 observations in the first bucket.
func bucketed(name, unit string, bounds ...float64) *metricspb.Metric {
	counts := make([]uint64, len(bounds)+1)
	counts[0] = 100
	return &metricspb.Metric{Name: name, Unit: unit, Data: &metricspb.Metric_Histogram{Histogram: &metricspb.Histogram{
		AggregationTemporality: cumulative,
		DataPoints: []*metricspb.HistogramDataPoint{{
			StartTimeUnixNano: nanos(time.Now().Add(-time.Minute)), TimeUnixNano: nanos(time.Now()),
			Count: 100, ExplicitBounds: bounds, BucketCounts: counts,
		}},
	}}}
}

func withUnit(unit string, m *metricspb.Metric) *metricspb.Metric {
	m.Unit = unit
	return m
}

// An emitter is a service that is bad on purpose.
type emitter struct {
	service string
	send    func(*testLab)
	// fails are the ids of the rules that it fails, and no others.
	fails string
}

// emitters are five services, each bad in its own way. Together they fail every rule of the
// specification that has a criterion.
var emitters = []emitter{
	{"", func(l *testLab) {
		l.sendLogs(logsFrom(&resourcepb.Resource{}, logRecord("who am I", func(r *logspb.LogRecord) { r.SeverityNumber = logspb.SeverityNumber_SEVERITY_NUMBER_INFO })))
	}, "RES-001 RES-005"},
	{"bad-pods", func(l *testLab) {
		for _, pod := range []string{"shop-1", "shop-2"} {
			s, _ := newSpan("tick")
			s.Attributes = attributes("service.name", "bad-pods")
			l.sendFrom(resource("bad-pods", "service.instance.id", "written-into-the-image", "k8s.pod.name", pod,
				"telemetry.sdk.language", "go", "telemetry.sdk.version", "1.40.0", "process.runtime.version", "go1.18"), s)
		}
	}, "RES-002 RES-003 RES-004 SDK-001"},
	{"bad-traces", func(l *testLab) {
		root, _ := newSpan("call")
		root.Kind = tracepb.Span_SPAN_KIND_CLIENT
		all := []*tracepb.Span{root}
		for range facts.MaxInternalSpans + 1 {
			all = append(all, child(root, "step", tracepb.Span_SPAN_KIND_INTERNAL, 10*time.Millisecond))
		}
		for range facts.MaxShortSpans + 1 {
			all = append(all, child(root, "query", tracepb.Span_SPAN_KIND_CLIENT, time.Millisecond))
		}
		orphan, _ := newSpan("lost")
		orphan.ParentSpanId = unhex(randomID(8))
		l.sendFrom(resource("bad-traces", "service.instance.id", "1"), append(all, orphan)...)
	}, "SPA-001 SPA-002 SPA-004 SPA-005"},
	{"bad-metrics", func(l *testLab) {
		var users []*metricspb.NumberDataPoint
		for i := range 10_000 {
			users = append(users, point(1, "user.id", i))
		}
		from := resource("bad-metrics", "service.instance.id", "1")
		l.mustSend("metrics", export(from,
			withUnit("{visit}", gauge("visits", users...)),
			withUnit("", gauge("unitless", point(1))),
			withUnit("s", gauge("collection.duration.seconds", point(1))),
			withUnit("1", gauge("http.response.status_code", point(200))),
			withUnit("s", gauge("delay", point(1))), bucketed("size", "By", 1, 2),
		))
		l.mustSend("metrics", export(from, withUnit("ms", gauge("delay", point(1))), bucketed("size", "By", 1, 3)))
	}, "MET-001 MET-002 MET-003 MET-004 MET-005 MET-006"},
	{"bad-logs", func(l *testLab) {
		from := resource("bad-logs", "service.instance.id", "1", "deployment.environment.name", "production")
		for _, age := range []time.Duration{15 * 24 * time.Hour, 0} {
			l.sendLogs(logsFrom(from, logRecord("cache miss", func(r *logspb.LogRecord) {
				r.SeverityNumber, r.TimeUnixNano = logspb.SeverityNumber_SEVERITY_NUMBER_DEBUG, nanos(time.Now().Add(-age))
			})))
		}
		l.sendLogs(logsFrom(from, logRecord("hello", func(r *logspb.LogRecord) { r.SeverityNumber = 0 })))
	}, "LOG-001 LOG-002"},
}

func TestScoreOfBadEmitters(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--no-services", "--inspect")
	failed := map[string]bool{"SPA-003": true} // which the specification gives no criterion
	for _, e := range emitters {
		e.send(l)
	}
	careless(l)
	var rules []score.Rule
	for _, e := range emitters {
		var s scored
		l.eventually(fmt.Sprintf("%q fails %s", e.service, e.fails), func() bool {
			var ok bool
			s, ok = l.score(e.service)
			return ok && strings.Join(s.failed(), " ") == e.fails
		})
		t.Logf("%q: %s", e.service, s.Line())
		rules = s.Rules
		for _, r := range s.Rules {
			if r.Outcome != score.Failed {
				continue
			}
			failed[r.ID] = true
			if len(r.Evidence) == 0 || r.Advice == "" {
				t.Errorf("%s fails without evidence or advice: %+v", r.ID, r)
			}
		}
	}
	for _, r := range rules {
		if !failed[r.ID] {
			t.Errorf("no emitter fails %s", r.ID)
		}
	}
	var want []string
	for _, k := range findings.Kinds {
		want = append(want, string(k))
	}
	slices.Sort(want)
	l.eventually("each kind of finding is found", func() bool {
		s, ok := l.score("careless")
		t.Logf("found %v", s.kinds())
		return ok && slices.Equal(s.kinds(), want)
	})
	l.inspectorStopped()
}

// inspectorStopped stops the inspector: no sender is refused or held up by it, the stores get
// everything, and the copy's own series are not among the lab's.
func (l *testLab) inspectorStopped() {
	l.Helper()
	dropped := func() float64 {
		return l.counter(target.Alloy, `otelcol_exporter_(send|enqueue)_failed_.+component_path="/inspector.copy.lab"`)
	}
	before := dropped()
	l.kill(target.Inspector)
	began := time.Now()
	for range 3 {
		l.sendEverything()
	}
	if took := time.Since(began); took > time.Minute {
		l.Errorf("senders waited for %s", took)
	}
	l.eventually("Alloy counts what it drops of the copy", func() bool { return dropped() > before })
	l.nothingElseLost()
	l.has(`{__name__=~"otelcol_(exporter|processor_batch)_.+",component_path=~".*copy.*"}`, 0, -1)
}

// careless is a service with a finding of each kind.
func careless(l *testLab) {
	first := resource("careless", "service.instance.id", "1", "process.pid", 1)
	second := resource("careless", "service.instance.id", "2", "process.pid", 2)
	server, traceID := newSpan("GET /users/42")
	server.Kind = tracepb.Span_SPAN_KIND_SERVER
	server.Status = &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR}
	server.DroppedAttributesCount = 3
	server.Attributes = attributes("http.request.method", "GET", "http.method", "GET", "http.response.status_code", 500, "prompt", strings.Repeat("word ", 60_000))
	early := child(server, "work", tracepb.Span_SPAN_KIND_SERVER, time.Millisecond)
	early.StartTimeUnixNano -= uint64(time.Second)
	l.sendFrom(first, server)
	l.sendFrom(second, early)
	l.sendLogs(logsFrom(first,
		logRecord("within", func(r *logspb.LogRecord) {
			r.TimeUnixNano, r.TraceId, r.SpanId = server.StartTimeUnixNano+1, nil, nil
		}),
		logRecord("welcome ada.lovelace@example.com", func(r *logspb.LogRecord) { r.TraceId, r.SpanId = unhex(traceID), server.SpanId })))
	l.mustSend("metrics", export(first,
		withUnit("s", total("cpu.time", delta, point(1, "service.name", "careless"))),
		bucketed("request.duration", "s", 5, 10),
	))
}

// The lab's own services fail no rule, and nothing is found in what they send.
func TestScoreOfOurServices(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--inspect")
	l.traffic()
	for _, service := range []string{"frontend", "backend"} {
		l.eventually("all rules but RES-003 and SPA-003 are evaluated for "+service, func() bool {
			s, ok := l.score(service)
			return ok && s.Evaluated >= len(s.Rules)-2
		})
		s, _ := l.score(service)
		t.Logf("%s: %s", service, s.Line())
		if s.Score != 100 || s.Category != score.Excellent {
			t.Errorf("%s: %s", service, s.Line())
		}
		for _, f := range s.Findings {
			t.Errorf("%s: %+v", service, f)
		}
	}
	l.listsAndInspects()
	if _, stderr, code := l.try("score", "frontend", "--at-least", "100.5"); code != 2 {
		t.Errorf("--at-least 100.5: exit code %d: %s", code, stderr)
	}
	if _, stderr, code := l.try("score", "nobody"); code != 1 || !strings.Contains(stderr, `nothing of the service "nobody"`) {
		t.Errorf("a service that is not there: exit code %d: %s", code, stderr)
	}
}
