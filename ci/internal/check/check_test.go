package check

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose/composetest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// TestMain is also the application of the tests: CHECK_APPLICATION says what it does.
func TestMain(m *testing.M) {
	composetest.Main()
	switch mode := os.Getenv("CHECK_APPLICATION"); mode {
	case "":
		os.Exit(m.Run())
	case "dies":
		fmt.Println("no database")
		os.Exit(3)
	case "never listens":
		time.Sleep(time.Minute)
	default:
		serve(mode)
	}
}

// serve answers /ready, and anything else as the mode says.
func serve(mode string) {
	fmt.Println("resource", os.Getenv("OTEL_RESOURCE_ATTRIBUTES"), "service", os.Getenv("OTEL_SERVICE_NAME"))
	mux := http.NewServeMux()
	mux.HandleFunc("/ready", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("request", r.URL.Path, r.Header.Get("Traceparent"))
		switch mode {
		case "hangs":
			<-r.Context().Done()
		case "fails":
			http.Error(w, "out of stock", http.StatusInternalServerError)
		case "dies later":
			go func() { time.Sleep(50 * time.Millisecond); os.Exit(5) }()
		}
	})
	if err := http.ListenAndServe("127.0.0.1:"+os.Getenv("PORT"), mux); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

// aCase is a case that starts the application of the tests.
func aCase(t *testing.T, mode string) cases.Case {
	return cases.Case{
		Name: mode, At: cases.Position{File: filepath.Join(t.TempDir(), "case.yaml"), Line: 1, Column: 1},
		Run: &cases.Run{
			Command: []string{os.Args[0]}, Env: map[string]string{"CHECK_APPLICATION": mode}, Ready: "http://127.0.0.1:${PORT}/ready",
			At: cases.Position{File: "case.yaml", Line: 3, Column: 2},
		},
		Input:    []cases.Input{{Path: "/buy", Status: 200, Count: 1}},
		Expected: cases.Expected{Traces: []cases.TracesExpectation{{Query: cases.Query{Text: "{}", Key: "expected.traces[0].traceql"}}}},
	}
}

// found is a judge that answers every question about traces with the verdict.
func found(v judge.Verdict) Judge {
	return Judge{Traces: func(context.Context, cases.TracesExpectation, judge.Scope) judge.Verdict { return v }}
}

func options(j Judge) Options {
	return Options{
		At:    target.Addresses{Name: "local", OTLPHTTP: "http://127.0.0.1:1", OTLPGRPC: "http://127.0.0.1:2"},
		Judge: j, Timeout: 700 * time.Millisecond, AbsentTimeout: time.Second,
	}
}

// text is what the report says about failures and skips.
func text(r Result) string {
	var b strings.Builder
	for _, c := range r.Report.Checks {
		if c.Status != report.Pass {
			fmt.Fprintf(&b, "%s %s | %s: %s\n%s\n", c.Status, c.Group, c.Name, c.Measured, c.Detail)
		}
	}
	return b.String()
}

// A case starts its application with its own run id, sends the requests once, and asks with
// the run's id and the requests' trace ids.
func TestCaseOfAnApplication(t *testing.T) {
	var mu sync.Mutex
	runs := map[string]judge.Scope{}
	asked := 0
	j := Judge{Traces: func(_ context.Context, _ cases.TracesExpectation, s judge.Scope) judge.Verdict {
		mu.Lock()
		defer mu.Unlock()
		runs[s.RunID] = s
		asked++
		return judge.Verdict{OK: asked > 4, Rows: 1, Failures: []judge.Failure{{Rule: "count", Message: "not yet"}}}
	}}
	first, second := aCase(t, "works"), aCase(t, "works")
	first.Input[0].Count, first.Input[0].Rate = 5, 100
	first.Run.Service = "shop"
	evidence := t.TempDir()
	second.At.File = "other.yaml"
	o := options(j)
	o.Evidence, o.Timeout = evidence, time.Minute
	r, err := Run(t.Context(), []cases.Case{first, second}, o)
	if err != nil || !r.Report.OK() {
		t.Fatalf("%v\n%s", err, text(r))
	}
	if len(runs) != 2 {
		t.Errorf("the two cases asked with the run ids of %v, want one each", runs)
	}
	output := ""
	files, _ := filepath.Glob(filepath.Join(evidence, "*.log"))
	for _, file := range files {
		raw, _ := os.ReadFile(file)
		output += string(raw)
	}
	requests := 0
	for id, s := range runs {
		if !strings.Contains(output, "lab.run.id="+id) {
			t.Errorf("no application has the run id %s:\n%s", id, output)
		}
		for _, trace := range s.TraceIDs {
			requests++
			if strings.Count(output, "-"+trace+"-") != 1 {
				t.Errorf("the trace %s was not sent once:\n%s", trace, output)
			}
		}
	}
	if requests != 6 || strings.Count(output, "request ") != 6 || !strings.Contains(output, "service shop") {
		t.Errorf("%d trace ids are known, want 6; the applications printed:\n%s", requests, output)
	}
	if groups := []string{r.Report.Checks[0].Group, r.Report.Checks[len(r.Report.Checks)-1].Group}; groups[0] == groups[1] {
		t.Errorf("two cases of one name are one group: %q", groups)
	}
}

func TestApplicationsThatDoNotWork(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	s.Listener = taken
	s.Start()
	defer s.Close()
	absent := judge.Verdict{Failures: []judge.Failure{{Rule: "query", Message: "nothing was found", Nearest: []string{"near"}}}}
	for name, c := range map[string]struct {
		change func(*cases.Case)
		want   []string
	}{
		"dies":          {nil, []string{"fail dies | application: the application ended before it was ready (exit code 3)", "no database"}},
		"never listens": {nil, []string{"was not ready after", "no program listens there", "has printed nothing"}},
		"not ready by port": {func(c *cases.Case) {
			c.Run.Ready, c.Run.Env["CHECK_APPLICATION"] = "", "never listens"
		}, []string{"does not listen on ${PORT}"}},
		"port taken": {func(c *cases.Case) { c.Run.Ready = s.URL + "/ready" }, []string{"another program answers at " + s.URL + "/ready already", "${PORT}"}},
		"not there":  {func(c *cases.Case) { c.Run.Command = []string{"./no-such-application"} }, []string{"there is no such program"}},
		"fails":      {nil, []string{"input[0] GET /buy: http://127.0.0.1:", "answered 500 Internal Server Error: out of stock", "request /buy"}},
		"dies later": {nil, []string{"nothing was found", "near", "application runs on: the application has ended: exit code 5"}},
		"silent": {func(c *cases.Case) { c.Run.Env["OTEL_TRACES_EXPORTER"] = "console" },
			[]string{"telemetry: nothing of this run has arrived", "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER is console"}},
	} {
		one := aCase(t, name)
		if c.change != nil {
			c.change(&one)
		}
		o := options(found(absent))
		o.Arrived = func(context.Context, judge.Scope) (bool, error) { return name != "silent", nil }
		r, err := Run(t.Context(), []cases.Case{one}, o)
		if err != nil || r.Report.OK() {
			t.Errorf("%s: %v, want a failure", name, err)
		}
		for _, want := range c.want {
			if !strings.Contains(text(r), want) {
				t.Errorf("%s: the report does not say %q:\n%s", name, want, text(r))
			}
		}
	}
}

// An application that hangs gives no answer; the case ends all the same when ctx does.
func TestApplicationThatHangs(t *testing.T) {
	ctx, cancel := context.WithTimeoutCause(t.Context(), 2*time.Second, context.Canceled)
	defer cancel()
	began := time.Now()
	if _, err := Run(ctx, []cases.Case{aCase(t, "hangs")}, options(found(judge.Verdict{OK: true}))); err == nil {
		t.Error("no error, though the run was interrupted")
	}
	if took := time.Since(began); took > 9*time.Second {
		t.Errorf("the run went on for %v after it was interrupted", took)
	}
}

// How long a question is asked: see the verdict's fields.
func TestPursue(t *testing.T) {
	fails := []judge.Failure{{Rule: "count", Message: "no"}}
	for name, c := range map[string]struct {
		answers []judge.Verdict // the last one goes on
		want    report.Status
		least   int // questions
		most    int
	}{
		"at once":          {[]judge.Verdict{{OK: true}}, report.Pass, 1, 1},
		"later":            {[]judge.Verdict{{Failures: fails}, {OK: true}}, report.Pass, 2, 2},
		"never":            {[]judge.Verdict{{Failures: fails}}, report.Fail, 3, 1000},
		"cannot change":    {[]judge.Verdict{{Final: true, Failures: fails}}, report.Fail, 2, 2},
		"absent":           {[]judge.Verdict{{OK: true, Revocable: true}}, report.Pass, 4, 1000},
		"absent, and then": {[]judge.Verdict{{OK: true, Revocable: true}, {OK: true, Revocable: true}, {Failures: fails}}, report.Fail, 4, 1000},
		"few, and more":    {[]judge.Verdict{{OK: true, Revocable: true, Rows: 1}, {OK: true, Revocable: true, Rows: 1}, {Final: true, Failures: fails}}, report.Fail, 4, 4},
	} {
		asked := 0
		explained := false
		q := question{name: name, rows: "rows", ask: func(_ context.Context, s judge.Scope) judge.Verdict {
			explained = s.Explain
			asked++
			return c.answers[min(asked, len(c.answers))-1]
		}}
		r := newRunner(cases.Case{Interval: 20 * time.Millisecond}, options(Judge{}))
		got := r.pursue(t.Context(), q)
		if explained != (got.Status == report.Fail) {
			t.Errorf("%s: the last question asks for an explanation: %v, want it after a failure alone", name, explained)
		}
		if got.Status != c.want || asked < c.least || asked > c.most {
			t.Errorf("%s: %s after %d questions, want %s after %d to %d", name, got.Status, asked, c.want, c.least, c.most)
		}
	}
}

func TestSkips(t *testing.T) {
	profiles := aCase(t, "works")
	profiles.Expected = cases.Expected{Profiles: []cases.ProfilesExpectation{{Query: cases.Query{Text: "p"}}}, ComposeLogs: []string{"resource lab"}}
	if r, err := Run(t.Context(), []cases.Case{profiles}, options(Judge{})); err != nil || r.Report.Count() != (report.Count{Passed: 3, Skipped: 1}) {
		t.Errorf("%v %+v\n%s", err, r.Report.Count(), text(r))
	}
}

func TestQualityWithoutTheInspector(t *testing.T) {
	c := aCase(t, "works")
	c.Expected = cases.Expected{Score: &cases.ScoreExpectation{}, Findings: &cases.FindingsExpectation{}}
	r, err := Run(t.Context(), []cases.Case{c}, options(Judge{}))
	if err != nil || strings.Count(text(r), "lab up --inspect") != 2 {
		t.Errorf("%v\n%s", err, text(r))
	}
}

func TestCustomChecks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("runs shell scripts; run this test on Linux or macOS")
	}
	for script, want := range map[string]string{
		"#!/bin/sh\ntest \"$OATS_FIXTURE_TYPE\" = remote && test -n \"$LAB_RUN_ID\" && test \"$OATS_OTLP_HTTP\" = http://127.0.0.1:1 && curl -fs $OATS_APP_URL/ready": "",
		"#!/bin/sh\necho seen nothing; exit 4": "exit code 4",
		"#!/bin/sh\nsleep 60":                  "the script did not end within 700ms",
	} {
		c := aCase(t, "works")
		c.Expected = cases.Expected{CustomChecks: []cases.CustomCheck{{Script: script, Inline: true}}}
		r, err := Run(t.Context(), []cases.Case{c}, options(Judge{}))
		if err != nil || r.Report.OK() != (want == "") || !strings.Contains(text(r), want) {
			t.Errorf("%q: %v, want %q\n%s", script, err, want, text(r))
		}
	}
}

func TestSeed(t *testing.T) {
	var got tracepb.ExportTraceServiceRequest
	var paths []string
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		paths = append(paths, r.URL.Path)
		if body, err := io.ReadAll(r.Body); r.URL.Path == "/v1/traces" && (err != nil || proto.Unmarshal(body, &got) != nil) {
			w.WriteHeader(http.StatusBadRequest)
		}
	}))
	defer s.Close()
	c := cases.Case{
		Name: "seeded", Seed: cases.Seed{
			Inline:  true,
			Traces:  []cases.SeedTrace{{Service: "shop", Spans: []cases.SeedSpan{{Name: "a", Kind: 2, Duration: time.Second}, {Name: "b", Kind: 1}}}},
			Logs:    []cases.SeedLog{{Service: "shop", Body: "hello", SeverityNumber: 9}},
			Metrics: []cases.SeedMetric{{Service: "shop", Name: "sold", Value: 3}},
		},
		Expected: cases.Expected{Traces: make([]cases.TracesExpectation, 1)},
	}
	o := options(found(judge.Verdict{OK: true}))
	o.At.OTLPHTTP = s.URL
	if r, err := Run(t.Context(), []cases.Case{c}, o); err != nil || !r.Report.OK() {
		t.Fatalf("%v\n%s", err, text(r))
	}
	if slices.Sort(paths); !slices.Equal(paths, []string{"/v1/logs", "/v1/metrics", "/v1/traces"}) {
		t.Errorf("sent to %q", paths)
	}
	spans := got.GetResourceSpans()[0].GetScopeSpans()[0].GetSpans()
	if len(spans) != 2 || bytes.Equal(spans[0].GetTraceId(), spans[1].GetTraceId()) || spans[0].GetEndTimeUnixNano()-spans[0].GetStartTimeUnixNano() != 1e9 {
		t.Errorf("the spans are %v, want two of two traces, the first a second long", spans)
	}
	if a := got.GetResourceSpans()[0].GetResource().GetAttributes(); a[0].GetValue().GetStringValue() != "shop" || a[1].GetKey() != "lab.run.id" {
		t.Errorf("the resource is %v", a)
	}
	s.Close()
	if r, _ := Run(t.Context(), []cases.Case{c}, o); !strings.Contains(text(r), "sending the seed") {
		t.Errorf("without a lab:\n%s", text(r))
	}
}

func TestInputWithoutAnApplication(t *testing.T) {
	c := cases.Case{Name: "remote", Input: []cases.Input{{Path: "/"}}}
	r, _ := Run(t.Context(), []cases.Case{c}, options(Judge{}))
	if !strings.Contains(text(r), "use lab check --app URL") {
		t.Error(text(r))
	}
	tries := 0
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if tries++; tries < 3 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer s.Close()
	o := options(Judge{})
	o.App = s.URL
	c.Input[0].Retry = &cases.Retry{Timeout: time.Minute, Interval: 10 * time.Millisecond}
	if r, _ = Run(t.Context(), []cases.Case{c}, o); !r.Report.OK() || tries != 3 {
		t.Errorf("after %d tries:\n%s", tries, text(r))
	}
}

func TestAnnotations(t *testing.T) {
	var b strings.Builder
	r := Result{
		Report: report.Report{Checks: []report.Check{{Name: "a"}, {Group: "g", Name: "x: y", Status: report.Fail, Measured: "50%", Detail: "line\nline"}, {Status: report.Pass}}},
		Places: []cases.Position{{File: "a.yaml"}, {File: "b.yaml", Line: 7, Column: 3}, {}},
	}
	if err := r.Annotate(&b); err != nil {
		t.Fatal(err)
	}
	want := "::error file=a.yaml,title=%3A a::\n::error file=b.yaml,line=7,col=3,title=g%3A x%3A y::50%25%0Aline%0Aline\n"
	if b.String() != want {
		t.Errorf("%q, want %q", b.String(), want)
	}
}

// A report from a cluster, which has no places, is shown beside its cases.
func TestLocated(t *testing.T) {
	all := []cases.Case{
		{Name: "same", At: cases.Position{File: "a.yaml", Line: 1}}, {Name: "same", At: cases.Position{File: "b.yaml", Line: 2}},
		{Name: "other", At: cases.Position{File: "c.yaml", Line: 3}},
	}
	r := Located(report.Report{Checks: []report.Check{{Group: "other", Name: "x"}, {Group: "same (b.yaml)", Name: "y"}, {Group: "of nobody", Name: "z"}}}, all)
	var b strings.Builder
	if err := r.Annotate(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"file=c.yaml,line=3,", "file=b.yaml,line=2,", "::error title=of nobody%3A z"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q lacks %q", b.String(), want)
		}
	}
}

func TestWatch(t *testing.T) {
	c := aCase(t, "works")
	if err := os.WriteFile(c.At.File, []byte("name: a"), 0o600); err != nil {
		t.Fatal(err)
	}
	all := []cases.Case{c}
	before := Fingerprint(all)
	if Fingerprint(all) != before {
		t.Fatal("the fingerprint changes by itself")
	}
	changed := make(chan error, 1)
	go func() { changed <- AwaitChange(t.Context(), all, before) }()
	if err := os.WriteFile(filepath.Join(c.Dir(), "app.js"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-changed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute):
		t.Error("a new file is no change")
	}
}
