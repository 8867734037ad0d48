package judge

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
)

const trace1, trace2 = "a0000000000000000000000000000001", "a0000000000000000000000000000002"

// shop is an application with two services that has handled two requests.
func shop(t *testing.T) *fake {
	request := func(route string) []fakeSpan {
		return []fakeSpan{
			{"b000000000000001", "c000000000000009", "shop", "GET " + route, tracepb.Span_SPAN_KIND_SERVER, map[string]string{"http.route": route, "http.response.status_code": "200"}},
			{"b000000000000002", "b000000000000001", "shop", "GET", tracepb.Span_SPAN_KIND_CLIENT, nil},
			{"b000000000000003", "b000000000000002", "stock", "GET /stock", tracepb.Span_SPAN_KIND_SERVER, map[string]string{"http.route": "/stock"}},
		}
	}
	line := func(text, traceID string) fakeLine {
		return fakeLine{text, map[string]string{"service_name": "shop", "level": "info", "trace_id": traceID, "lab_run_id": "r1"}}
	}
	requests := func(route string) fakeSeries {
		return fakeSeries{map[string]string{"__name__": "http_requests_total", "service_name": "shop", "http_route": route, "lab_run_id": "r1"}, "1"}
	}
	const duration = `sum(http_server_request_duration_seconds_count{service_name="%s",lab_run_id="r1",http_route=~"%s"})`
	return &fake{
		t:      t,
		traces: map[string][]fakeSpan{trace1: request("/users"), trace2: request("/items")},
		lines:  []fakeLine{line("rolling the dice", trace1), line("done in 3 ms", trace2)},
		series: map[string][]fakeSeries{
			`http_requests_total{lab_run_id="r1"}`:             {requests("/users"), requests("/items")},
			`sum(http_requests_total{lab_run_id="r1"})`:        {{nil, "2"}},
			`{__name__="http_requests_total",lab_run_id="r1"}`: {requests("/users"), requests("/items")},
			fmt.Sprintf(duration, "shop", "/items|/users"):     {{nil, "2"}},
			fmt.Sprintf(duration, "stock", "/stock"):           {{nil, "2"}},
			`absent(gone_total{lab_run_id="r1"})`:              {{nil, "1"}},
		},
		names:   []string{"http_requests_total", "http_server_duration", "process_cpu"},
		refuses: map[string]string{"REFUSE": `{"status":"error","error":"parse error at line 1, col 3: unexpected \"REFUSE\""}`},
	}
}

// verdicts asks for everything that a case expects.
func verdicts(t *testing.T, f *fake, expected string) []Verdict {
	t.Helper()
	path := filepath.Join(t.TempDir(), "case.yaml")
	if err := os.WriteFile(path, []byte("name: x\ninput: {path: /}\nexpected: "+expected+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	found, problems := cases.Load([]string{path})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	stores, scope := f.stores(), Scope{RunID: "r1", Since: time.Now(), Explain: true, TraceIDs: []string{trace1, trace2}}
	var all []Verdict
	e := found[0].Expected
	for _, x := range e.Traces {
		all = append(all, Traces(t.Context(), stores, x, scope))
	}
	for _, x := range e.Logs {
		all = append(all, Logs(t.Context(), stores, x, scope))
	}
	for _, x := range e.Metrics {
		all = append(all, Metrics(t.Context(), stores, x, scope))
	}
	for _, x := range e.Trees {
		all = append(all, Tree(t.Context(), stores, x, scope))
	}
	if e.Complete != nil {
		all = append(all, Complete(t.Context(), stores, *e.Complete, scope))
	}
	return all
}

// Every rule holds of what is there.
func TestPasses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		expected  string
		revocable bool
	}{
		{`{traces: [{traceql: '{}', match_spans: [{name: GET /users, attributes: {service.name: shop, http.route: {present: true}}}]}]}`, false},
		{`{traces: [{traceql: '{}', match_spans: [{attributes: {otel.library.name: Microsoft.AspNetCore, kind: SPAN_KIND_CLIENT}}]}]}`, false},
		{`{traces: [{traceql: '{}', match_spans: [{match_type: regexp, name: ^GET /it}], count: '== 2'}]}`, true},
		{`{traces: [{traceql: '{}', match: [{name: GET /items, attributes: {service.name: shop}}], contains: 'shop: GET /users'}]}`, false},
		{`{logs: [{logql: '{a="b"}', contains: rolling, regex: 'in \d ms', count: '>= 2'}]}`, false},
		{`{logs: [{logql: '{a="b"}', not_contains: error, match: [{name: done in 3 ms, attributes: [{key: level}]}]}]}`, true},
		{`{logs: [{logql: '{a="b"}'}]}`, false},
		{`{metrics: [{promql: http_requests_total, value: '== 1', count: '> 1'}]}`, false},
		{`{metrics: [{promql: sum(http_requests_total), value: '== 2'}]}`, false},
		{`{metrics: [{promql: http_requests_total, match: [{name: http_requests_total, attributes: {http_route: /items}}]}]}`, false},
		{`{metrics: [{promql: gone_total, absent: true}, {promql: gone_total, count: '== 0'}]}`, true},
		{`{metrics: [{promql: absent(gone_total), value: '== 1'}]}`, false},
		{`{trees: ["shop: GET /users [server] {http.route=/users}\n  shop: GET\n    stock: …"]}`, false},
		{`{trees: [{tree: "shop: GET /… [server]\n  …", every: true}]}`, true},
		{`{complete: {traces: {services: [shop, stock]}, logs, metrics}}`, false},
		{`{complete: {metrics: {promql: sum(http_requests_total)}}}`, false},
	} {
		for _, v := range verdicts(t, shop(t), c.expected) {
			if !v.OK || v.Final || v.Revocable != c.revocable {
				t.Errorf("%s: %+v, want OK, revocable %v", c.expected, v, c.revocable)
			}
		}
	}
}

// Every rule fails of what is not there, and says what is there instead.
func TestFailures(t *testing.T) {
	t.Parallel()
	none := func(f *fake) { f.traces, f.lines, f.series, f.names = nil, nil, nil, nil }
	for _, c := range []struct {
		expected string
		change   func(*fake)
		rule     string
		want     []string
	}{
		{`{traces: [{traceql: '{}', match_spans: [{name: GET /user}]}]}`, nil, "match_spans", []string{`none of 6 spans has the name "GET /user"`, "shop: GET /users"}},
		{`{traces: [{traceql: '{}', match_spans: [{name: GET /users, attributes: {http.status_code: 200, http.route: /user}}]}]}`, nil, "match_spans",
			[]string{`http.status_code = "200" and http.route = "/user"`, `shop: GET /users has no http.status_code, but http.response.status_code = "200"; http.route = "/users"`}},
		{`{traces: [{traceql: '{}', count: '== 1'}]}`, nil, "count", []string{"expected == 1, found 2 traces", "shop: GET /items"}},
		{`{traces: [{traceql: '{}', absent: true}]}`, nil, "absent", []string{"expected nothing, found 2 traces"}},
		{`{traces: [{traceql: '{}'}]}`, none, "found", []string{"the query finds nothing", "the run has sent no span at all"}},
		{`{traces: [{traceql: '{ REFUSE }'}]}`, nil, "query", []string{`Tempo refuses the query: parse error at line 1, col 3: unexpected "REFUSE"`}},
		{`{logs: [{logql: '{a="b"}', contains: dices}]}`, nil, "contains", []string{`"dices" is not in 2 lines`, `rolling the dice  {level="info"`}},
		{`{logs: [{logql: '{a="b"}', not_contains: done}]}`, nil, "not_contains", []string{`"done" is there: done in 3 ms`}},
		{`{logs: [{logql: '{a="b"}', regex: '^(a+)+$'}]}`, nil, "regex", []string{"/^(a+)+$/ matches nothing in 2 lines"}},
		{`{logs: [{logql: '{a="b"}', match: [{name: done in 4 ms}]}]}`, nil, "match", []string{`none of 2 lines has the name "done in 4 ms"`, "done in 3 ms"}},
		{`{logs: [{logql: '{a="b"}'}]}`, none, "found", []string{"the run has sent no log line at all"}},
		{`{logs: [{logql: '{REFUSE="x"}'}]}`, nil, "query", []string{"Loki refuses the query: parse error"}},
		{`{metrics: [{promql: http_requests_total, value: '> 1'}]}`, nil, "value", []string{"expected > 1, found 1, the value of the first of 2 series", `http_requests_total{http_route="/items", service_name="shop"} 1`}},
		{`{metrics: [{promql: 'http_requests_total{http_route="/user"}', value: '>= 1'}]}`, nil, "value",
			[]string{"the query finds no series", `http_requests_total has no series with http_route="/user"; http_route is "/items", "/users"`}},
		{`{metrics: [{promql: 'http_requests_total{route="/users"}', count: '>= 1'}]}`, nil, "count",
			[]string{`http_requests_total has no series with route="/users"; route is not there, but http_route is "/items", "/users"`}},
		{`{metrics: [{promql: http_request_total, value: '>= 1'}]}`, nil, "value", []string{"the run has no metric http_request_total; the names that are nearest: http_requests_total"}},
		{`{metrics: [{promql: up, value: '>= 1'}]}`, none, "value", []string{"the run has sent no metric at all"}},
		{`{metrics: [{promql: 'sum(', value: '>= 1'}]}`, nil, "query", []string{"Mimir refuses the query: 1:5"}},
		{`{trees: ["shop: GET /user [server]\n  shop: GET\n    stock: GET /stock\n      stock: SELECT"]}`, nil, "tree", []string{
			"none of 2 traces has this shape", "- shop: GET /user [server]", "+ shop: GET /users [server]", "      shop: GET [client]"[4:], "-       stock: SELECT", "in trace " + trace1}},
		{`{trees: [{tree: "shop: GET /users\n  …", every: true}]}`, nil, "tree", []string{"1 of 2 traces have another shape", "+ shop: GET /items"}},
		{`{trees: ["shop: GET /users\n"]}`, nil, "tree", []string{"+   shop: GET [client]", "+     stock: GET /stock"}},
		{`{complete: {traces}}`, func(f *fake) { delete(f.traces, trace2) }, "complete.traces", []string{"1 of 2 requests are not one joined trace", trace2 + " has no span"}},
		{`{complete: {traces}}`, func(f *fake) { f.traces[trace1] = append(f.traces[trace1][:1:1], f.traces[trace1][2]) }, "complete.traces", []string{trace1 + " is in 2 parts", "stock: GET /stock"}},
		{`{complete: {traces: {services: [shop, mail]}}}`, nil, "complete.traces", []string{trace1 + " has no span of mail"}},
		{`{complete: {logs}}`, func(f *fake) { f.lines = f.lines[:1] }, "complete.logs", []string{"1 of 2 requests do not have >= 1 log lines", trace2 + " has 0 lines"}},
		{`{complete: {logs: {count: '>= 2'}}}`, nil, "complete.logs", []string{"2 of 2 requests do not have >= 2 log lines"}},
		{`{complete: {metrics}}`, func(f *fake) { f.series = nil }, "complete.metrics", []string{"shop has handled 2 requests, and no metric counts them"}},
		{`{complete: {metrics: {promql: sum(gone_total)}}}`, nil, "complete.metrics", []string{`sum(gone_total{lab_run_id="r1"}) has counted 0 of 2 requests`}},
	} {
		f := shop(t)
		if c.change != nil {
			c.change(f)
		}
		v := verdicts(t, f, c.expected)[0]
		text := ""
		for _, failure := range v.Failures {
			text += failure.Rule + ": " + failure.Message + "\n" + strings.Join(failure.Nearest, "\n") + "\n"
		}
		if v.OK || len(v.Failures) == 0 || v.Failures[0].Rule != c.rule || v.Final != (c.rule == "query") {
			t.Errorf("%s: OK %v, final %v, failures\n%s", c.expected, v.OK, v.Final, text)
		}
		for _, want := range c.want {
			if !strings.Contains(text, want) {
				t.Errorf("%s: failures\n%s\nwant %q", c.expected, text, want)
			}
		}
	}
}

// Whatever is asked, the stores are asked about the run only, but for one question: whether
// others have what the run lacks.
func TestEveryQuestionIsNarrowed(t *testing.T) {
	t.Parallel()
	f := shop(t)
	verdicts(t, f, `{traces: [{traceql: '{ a } >> { b }', contains: x}], logs: [{logql: '{a="b"}', contains: x}], metrics: [{promql: 'a / b', value: '> 1'}], `+
		`trees: ['a: b'], complete: {traces, logs, metrics}}`)
	for _, q := range f.asked {
		if q != "" && !strings.Contains(q, `lab_run_id="r1"`) && !strings.Contains(q, `lab.run.id = "r1"`) {
			t.Errorf("asked %s, which is not narrowed to the run", q)
		}
	}
}

func TestWithoutRun(t *testing.T) {
	t.Parallel()
	f := shop(t)
	f.series = map[string][]fakeSeries{"sum(up)": {{nil, "7"}}}
	v := Complete(t.Context(), f.stores(), cases.Complete{Metrics: true, Counter: cases.Query{Text: "sum(up)"}}, Scope{Since: time.Now(), TraceIDs: []string{trace1}})
	if v.OK || !strings.Contains(v.Failures[0].Message, "has counted 0 of 1 request") {
		t.Errorf("a counter that was 7 before: %+v", v)
	}
}

// What Shape writes of a trace, Tree finds true of it, and of one with more of the spans
// that are alike; not of one that lacks a span.
func TestShape(t *testing.T) {
	t.Parallel()
	f := shop(t)
	spans := f.traces[trace1]
	spans[2].name = "GET /stock/{id} …"
	f.traces[trace1] = append(spans, fakeSpan{"b000000000000004", spans[0].id, "shop", "SELECT", tracepb.Span_SPAN_KIND_CLIENT, nil},
		fakeSpan{"b000000000000005", spans[0].id, "shop", "SELECT", tracepb.Span_SPAN_KIND_CLIENT, nil})
	delete(f.traces, trace2)
	stores := f.stores()
	stored, err := stores.Tempo.Trace(t.Context(), trace1)
	if err != nil {
		t.Fatal(err)
	}
	tree := Shape(stored, []string{"http.route", "db.system.name"}, func(name string) string { return cases.QuoteShape(name, false) })
	want := "shop: GET /users [server] {http.route=/users}\n  shop: GET [client]\n" +
		"    stock: \"GET /stock/{id} …\" [server] {http.route=/stock}\n  shop: SELECT [client]\n  …\n"
	if tree != want {
		t.Errorf("shape\n%s\nwant\n%s", tree, want)
	}
	is := func() bool {
		return Tree(t.Context(), stores, cases.TreeExpectation{Tree: tree}, Scope{RunID: "r1", TraceIDs: []string{trace1}}).OK
	}
	if !is() {
		t.Error("the trace does not have its own shape")
	}
	f.traces[trace1] = f.traces[trace1][:3]
	if is() {
		t.Error("a trace without SELECT has the shape")
	}
}

// Spans that are one another's parents, or their own, are shown, and end no program.
func TestRings(t *testing.T) {
	t.Parallel()
	f := shop(t)
	f.traces[trace1][0].parent = f.traces[trace1][2].id
	f.traces[trace2][1].parent = f.traces[trace2][1].id
	v := verdicts(t, f, `{complete: {traces}, trees: ['x: y']}`)
	if len(v) != 2 || v[0].OK || len(v[0].Failures) != 1 {
		t.Errorf("%+v", v)
	}
}
