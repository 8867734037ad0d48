package facts

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func testKeeper() (*Keeper, *clock) {
	c := &clock{time.Date(2026, 4, 9, 12, 0, 0, 0, time.UTC)}
	return newKeeper(c.now, defaultLimits()), c
}

// spanOf is one span for a test; times are in milliseconds.
type spanOf struct {
	trace, id, parent byte
	name              string
	kind              ptrace.SpanKind
	start, end        int
	edit              func(ptrace.Span)
}

func tracesOf(resource map[string]any, spans ...spanOf) ptrace.Traces {
	td := ptrace.NewTraces()
	rs := td.ResourceSpans().AppendEmpty()
	_ = rs.Resource().Attributes().FromRaw(resource)
	ss := rs.ScopeSpans().AppendEmpty()
	ss.Scope().SetName("test.scope")
	for _, s := range spans {
		span := ss.Spans().AppendEmpty()
		span.SetTraceID(pcommon.TraceID{s.trace})
		span.SetSpanID(pcommon.SpanID{s.id})
		if s.parent != 0 {
			span.SetParentSpanID(pcommon.SpanID{s.parent})
		}
		span.SetName(s.name)
		span.SetKind(s.kind)
		span.SetStartTimestamp(pcommon.Timestamp(s.start) * 1e6)
		span.SetEndTimestamp(pcommon.Timestamp(s.end) * 1e6)
		if s.edit != nil {
			s.edit(span)
		}
	}
	return td
}

func logsOf(resource map[string]any, edit ...func(plog.LogRecord)) plog.Logs {
	ld := plog.NewLogs()
	rl := ld.ResourceLogs().AppendEmpty()
	_ = rl.Resource().Attributes().FromRaw(resource)
	for _, e := range edit {
		line := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
		line.SetSeverityNumber(plog.SeverityNumberInfo)
		e(line)
	}
	return ld
}

func metricsOf(resource map[string]any, edit func(pmetric.Metric)) pmetric.Metrics {
	md := pmetric.NewMetrics()
	rm := md.ResourceMetrics().AppendEmpty()
	_ = rm.Resource().Attributes().FromRaw(resource)
	edit(rm.ScopeMetrics().AppendEmpty().Metrics().AppendEmpty())
	return md
}

var shop = map[string]any{"service.name": "shop"}

// factsOf returns the facts of the service shop after every trace has settled.
func factsOf(t *testing.T, k *Keeper, c *clock) Service {
	t.Helper()
	c.at = c.at.Add(k.limits.settle)
	s, ok := k.Service("shop", "")
	if !ok {
		t.Fatal("no facts of shop")
	}
	return s
}

func set(pairs ...any) func(ptrace.Span) {
	return func(s ptrace.Span) {
		for i := 0; i < len(pairs); i += 2 {
			v, _ := s.Attributes().GetOrPutEmpty(pairs[i].(string))
			_ = v.FromRaw(pairs[i+1])
		}
	}
}

func failed(edit ...func(ptrace.Span)) func(ptrace.Span) {
	return func(s ptrace.Span) {
		s.Status().SetCode(ptrace.StatusCodeError)
		for _, e := range edit {
			e(s)
		}
	}
}

func several(n int, s spanOf) []spanOf {
	var list []spanOf
	for i := range n {
		s.id = byte(i + 1)
		list = append(list, s)
	}
	return list
}

func TestSpanTallies(t *testing.T) {
	server, client, internal := ptrace.SpanKindServer, ptrace.SpanKindClient, ptrace.SpanKindInternal
	for name, test := range map[string]struct {
		tally      func(Spans) Tally
		spans      []spanOf
		seen, hits uint64
		detail     string
	}{
		"ten INTERNAL spans are fine": {func(s Spans) Tally { return s.ManyInternal }, several(10, spanOf{trace: 1, kind: internal, end: 9}), 1, 0, ""},
		"eleven INTERNAL spans":       {func(s Spans) Tally { return s.ManyInternal }, several(11, spanOf{trace: 1, kind: internal, end: 9}), 1, 1, "11 INTERNAL"},
		"twenty short spans are fine": {func(s Spans) Tally { return s.ManyShort }, several(20, spanOf{trace: 1, end: 4}), 1, 0, ""},
		"twenty-one short spans":      {func(s Spans) Tally { return s.ManyShort }, several(21, spanOf{trace: 1, end: 4}), 1, 1, "21 spans"},
		"spans of 5 ms are not short": {func(s Spans) Tally { return s.ManyShort }, several(21, spanOf{trace: 1, end: 5}), 1, 0, ""},
		"a parent that is there":      {func(s Spans) Tally { return s.Orphans }, []spanOf{{trace: 1, id: 2, parent: 1}, {trace: 1, id: 1}}, 1, 0, ""},
		"a parent of another trace":   {func(s Spans) Tally { return s.Orphans }, []spanOf{{trace: 1, id: 2, parent: 1}, {trace: 2, id: 1}}, 1, 1, "0100000000000000"},
		"the lab's client is the parent": {func(s Spans) Tally { return s.Orphans }, []spanOf{{trace: 1, id: 2, edit: func(s ptrace.Span) {
			parent, _ := hex.DecodeString(traceparent.ClientSpanID(s.TraceID().String()))
			s.SetParentSpanID(pcommon.SpanID(parent))
		}}}, 0, 0, ""},
		"a parent that is remote":         {func(s Spans) Tally { return s.Orphans }, []spanOf{{trace: 1, id: 2, parent: 1, edit: func(s ptrace.Span) { s.SetFlags(0x301) }}}, 1, 1, "another process"},
		"a root that is a CLIENT":         {func(s Spans) Tally { return s.ClientRoots }, []spanOf{{trace: 1, id: 1, kind: client}}, 1, 1, "CLIENT"},
		"a root that is a SERVER":         {func(s Spans) Tally { return s.ClientRoots }, []spanOf{{trace: 1, id: 1, kind: server}, {trace: 1, id: 2, parent: 1, kind: client}}, 1, 0, ""},
		"a route":                         {func(s Spans) Tally { return s.WithoutRoute }, []spanOf{{trace: 1, id: 1, kind: server, edit: set("http.request.method", "GET", "http.response.status_code", 200, "http.route", "/a")}}, 1, 0, ""},
		"no route":                        {func(s Spans) Tally { return s.WithoutRoute }, []spanOf{{trace: 1, id: 1, kind: server, edit: set("http.request.method", "GET", "http.response.status_code", 500)}}, 1, 1, "no http.route"},
		"no route, older names":           {func(s Spans) Tally { return s.WithoutRoute }, []spanOf{{trace: 1, id: 1, kind: server, edit: set("http.method", "GET", "http.status_code", 200)}}, 1, 1, "no http.route"},
		"404 has no route":                {func(s Spans) Tally { return s.WithoutRoute }, []spanOf{{trace: 1, id: 1, kind: server, edit: set("http.request.method", "GET", "http.response.status_code", 404)}}, 0, 0, ""},
		"a client has no route":           {func(s Spans) Tally { return s.WithoutRoute }, []spanOf{{trace: 1, id: 1, kind: client, edit: set("http.request.method", "GET", "http.response.status_code", 200)}}, 0, 0, ""},
		"an error without a type":         {func(s Spans) Tally { return s.WithoutErrorType }, []spanOf{{trace: 1, id: 1, edit: failed()}, {trace: 1, id: 2}}, 1, 1, "error.type"},
		"an error with a type":            {func(s Spans) Tally { return s.WithoutErrorType }, []spanOf{{trace: 1, id: 1, edit: failed(set("error.type", "500"))}}, 1, 0, ""},
		"an error with an exception":      {func(s Spans) Tally { return s.WithoutErrorType }, []spanOf{{trace: 1, id: 1, edit: failed(func(s ptrace.Span) { s.Events().AppendEmpty().SetName("exception") })}}, 1, 0, ""},
		"dropped attributes":              {func(s Spans) Tally { return s.Dropped }, []spanOf{{trace: 1, id: 1, edit: func(s ptrace.Span) { s.SetDroppedAttributesCount(3) }}, {trace: 1, id: 2}}, 2, 1, "3 attributes"},
		"the same process is not skewed":  {func(s Spans) Tally { return s.Skewed }, []spanOf{{trace: 1, id: 1, start: 50}, {trace: 1, id: 2, parent: 1, start: 10}}, 0, 0, ""},
		"a span that came twice is once":  {func(s Spans) Tally { return s.Orphans }, []spanOf{{trace: 1, id: 2, parent: 1}, {trace: 1, id: 2, parent: 1}}, 1, 1, "no span"},
		"spans without a trace are aside": {func(s Spans) Tally { return s.Orphans }, []spanOf{{id: 2, parent: 1}}, 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			k, c := testKeeper()
			k.Traces(tracesOf(shop, test.spans...))
			checkTally(t, test.tally(factsOf(t, k, c).Spans), test.seen, test.hits, test.detail)
		})
	}
}

func checkTally(t *testing.T, got Tally, seen, hits uint64, detail string) {
	t.Helper()
	if got.Seen != seen || got.Hits != hits {
		t.Errorf("seen %d, hits %d; want %d, %d", got.Seen, got.Hits, seen, hits)
	}
	if hits > 0 && (len(got.Examples) == 0 || !strings.Contains(got.Examples[0].Detail, detail)) {
		t.Errorf("examples %+v, want one with %q", got.Examples, detail)
	}
}

func TestSkewed(t *testing.T) {
	k, c := testKeeper()
	k.Traces(tracesOf(map[string]any{"service.name": "caller"}, spanOf{trace: 1, id: 1, name: "GET", kind: ptrace.SpanKindClient, start: 50, end: 90}))
	k.Traces(tracesOf(shop, spanOf{trace: 1, id: 2, parent: 1, start: 20, end: 30}, spanOf{trace: 1, id: 3, parent: 1, start: 60, end: 70}))
	s := factsOf(t, k, c)
	checkTally(t, s.Spans.Skewed, 2, 1, "begins 30ms before")
	checkTally(t, s.Spans.Orphans, 2, 0, "")
}

func TestTraceIsJudgedLate(t *testing.T) {
	k, c := testKeeper()
	k.Traces(tracesOf(shop, spanOf{trace: 1, id: 2, parent: 1}))
	if s, _ := k.Service("shop", ""); s.Spans.Orphans.Seen != 0 {
		t.Errorf("a trace whose spans still arrive was judged: %+v", s.Spans.Orphans)
	}
	checkTally(t, factsOf(t, k, c).Spans.Orphans, 1, 1, "no span")
	// The parent comes late: what was said of the trace is mended.
	k.Traces(tracesOf(shop, spanOf{trace: 1, id: 1}))
	checkTally(t, factsOf(t, k, c).Spans.Orphans, 1, 0, "")
	// After that the judgement is final, and a further span is not looked at.
	c.at = c.at.Add(k.limits.forget)
	k.Traces(tracesOf(shop, spanOf{trace: 2, id: 1}))
	k.Traces(tracesOf(shop, spanOf{trace: 1, id: 9, parent: 8}))
	s := factsOf(t, k, c)
	checkTally(t, s.Spans.Orphans, 1, 0, "")
	if len(s.Bounds) != 1 || !strings.Contains(s.Bounds[0], "1 spans arrived when their trace had been judged") {
		t.Errorf("bounds %q", s.Bounds)
	}
}

func TestSpansLost(t *testing.T) {
	k, c := testKeeper()
	k.Traces(tracesOf(shop, spanOf{trace: 1, id: 2, parent: 1}))
	k.SpansLost()
	k.Traces(tracesOf(shop, spanOf{trace: 2, id: 2, parent: 1}))
	checkTally(t, factsOf(t, k, c).Spans.Orphans, 0, 0, "")
	c.at = c.at.Add(lostFor)
	k.Traces(tracesOf(shop, spanOf{trace: 3, id: 2, parent: 1}))
	checkTally(t, factsOf(t, k, c).Spans.Orphans, 1, 1, "no span")
}

func TestOperations(t *testing.T) {
	k, c := testKeeper()
	k.Traces(tracesOf(shop,
		spanOf{trace: 1, id: 1, name: "GET /users", kind: ptrace.SpanKindServer, end: 20},
		spanOf{trace: 2, id: 1, name: "GET /users", kind: ptrace.SpanKindServer, end: 30, edit: failed()},
		spanOf{trace: 2, id: 2, name: "GET /users", kind: ptrace.SpanKindClient, start: 5, end: 3}))
	s := factsOf(t, k, c).Spans
	if s.Count != 3 || s.Errors != 1 || s.Names != 1 || len(s.Operations) != 2 {
		t.Fatalf("%+v", s)
	}
	want := Operation{Name: "GET /users", Kind: "server", Count: 2, Errors: 1, TotalSeconds: 0.05, TraceID: "01000000000000000000000000000000", Scope: "test.scope"}
	if s.Operations[0] != want {
		t.Errorf("got %+v, want %+v", s.Operations[0], want)
	}
	if s.Operations[1].Kind != "client" || s.Operations[1].TotalSeconds != 0 {
		t.Errorf("got %+v", s.Operations[1])
	}
}

func TestRunsAreApart(t *testing.T) {
	k, c := testKeeper()
	for i, run := range []string{"a", "b", "b", ""} {
		resource := map[string]any{"service.name": "shop"}
		if run != "" {
			resource[runid.Attribute] = run
		}
		c.at = c.at.Add(time.Second)
		k.Traces(tracesOf(resource, spanOf{trace: byte(i + 1), id: 1}))
	}
	for run, want := range map[string]uint64{"": 4, "a": 1, "b": 2} {
		if s, ok := k.Service("shop", run); !ok || s.Spans.Count != want || s.RunID != run {
			t.Errorf("run %q: %v, %d spans, want %d", run, ok, s.Spans.Count, want)
		}
	}
	if _, ok := k.Service("shop", "c"); ok {
		t.Error("there are facts of a run that was not")
	}
	list := k.Services()
	if len(list) != 1 || fmt.Sprint(list[0].RunIDs) != "[b a]" || list[0].Spans != 4 {
		t.Errorf("services %+v", list)
	}
}

func TestWithoutServiceName(t *testing.T) {
	k, _ := testKeeper()
	k.Traces(tracesOf(nil, spanOf{trace: 1, id: 1}))
	if s, ok := k.Service("", ""); !ok || s.Spans.Count != 1 || len(s.Resources) != 1 {
		t.Errorf("%v %+v", ok, s)
	}
}
