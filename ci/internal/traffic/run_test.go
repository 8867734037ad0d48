package traffic_test

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// quick is a profile that takes half a second and has some of every kind.
func quick() traffic.Profile {
	return traffic.Profile{Name: "quick", Rate: 600, Requests: 300, Slow: 0.05, Error: 0.05, Delay: 20 * time.Millisecond, Seed: 7}
}

// calm is quick over two seconds: a busy machine may delay the last request by
// a tenth of a second without the rate being too low.
func calm() traffic.Profile {
	p := quick()
	p.Rate = 150
	return p
}

func run(t *testing.T, o traffic.Options) traffic.Report {
	t.Helper()
	r, err := traffic.Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRun(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	before := lab.Users()
	r := run(t, traffic.Options{Frontend: lab.Frontend + "/", Profile: calm()})

	r.Rate = max(r.Rate, r.Profile.Rate) // a busy machine may be slower, and that is not what is tested
	if !r.OK() {
		t.Errorf("not OK: %v", r.Problems())
	}
	if r.Requests != 300 || r.BackendRequests != 300 || r.Dropped != 0 {
		t.Errorf("sent %d, backend %d, dropped %d, want 300, 300, 0", r.Requests, r.BackendRequests, r.Dropped)
	}
	if diff := cmp.Diff(r.Expected, r.Statuses); diff != "" {
		t.Errorf("statuses (-expected +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, lab.Users()); diff != "" {
		t.Errorf("the run left or took users (-before +after):\n%s", diff)
	}
	// A creation that is answered late, on a busy machine, leaves a user to clean up.
	if want := (traffic.Outside{Preflight: 2, Cleanup: r.Kinds[traffic.Create] - r.Kinds[traffic.Delete]}); r.Outside != want {
		t.Errorf("Outside = %+v, want %+v: one deletion for each of %d creations", r.Outside, want, r.Kinds[traffic.Create])
	}
	for _, k := range traffic.Kinds() {
		if r.Kinds[k.Kind] == 0 || r.ByKind[k.Kind].Count != r.Kinds[k.Kind] || r.ByKind[k.Kind].Max <= 0 {
			t.Errorf("%s: %d sent, latency %+v", k.Kind, r.Kinds[k.Kind], r.ByKind[k.Kind])
		}
	}
	if n := r.Kinds[traffic.Slow]; n < 13 || n > 17 {
		t.Errorf("%d slow requests of 300, want 15 or nearly", n)
	}
	if got := r.ByKind[traffic.Slow].P50; got < 20*time.Millisecond {
		t.Errorf("p50 of slow requests = %v, want 20ms or more", got)
	}
	checkTraces(t, lab, r)
}

// checkTraces compares the trace ids that arrived with those that the report
// promises: each exactly once, sampled, and none outside the run.
func checkTraces(t *testing.T, lab *labtest.Lab, r traffic.Report) {
	t.Helper()
	arrived := make(map[string]int)
	for _, req := range lab.Requests() {
		parts := strings.Split(req.Header.Get("Traceparent"), "-")
		if len(parts) != 4 || parts[0] != "00" || len(parts[1]) != 32 || len(parts[2]) != 16 {
			t.Fatalf("traceparent %q", req.Header.Get("Traceparent"))
		}
		inRun := strings.HasPrefix(parts[1], r.TracePrefix)
		if inRun != (parts[3] == "01") {
			t.Errorf("traceparent %q: sampled does not say whether it is of the run", req.Header.Get("Traceparent"))
		}
		if inRun {
			arrived[parts[1]]++
		}
	}
	if len(arrived) != r.Requests {
		t.Errorf("%d trace ids arrived, want %d", len(arrived), r.Requests)
	}
	for n := 1; n <= r.Requests; n++ {
		if got := arrived[traffic.TraceID(r.TracePrefix, n)]; got != 1 {
			t.Errorf("trace id of request %d arrived %d times", n, got)
		}
	}
}

func TestTraceID(t *testing.T) {
	if got, want := traffic.TraceID("8123456789abcdef", 258), "8123456789abcdef00000102dbd65755"; got != want {
		t.Errorf("TraceID = %q, want %q", got, want)
	}
}

// TestWrongAnswers shows that every kind of wrong answer makes the run fail.
func TestWrongAnswers(t *testing.T) {
	t.Parallel()
	var hits atomic.Int64 // of one case
	tests := []struct {
		name   string
		tamper func(r *http.Request, a *labtest.Answer)
		want   string // in the problems
		left   bool   // users may be left: there is no way to delete them
	}{
		{"statistics fail", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Path == "/api/stats" {
				a.Status = 503
			}
		}, "stats answered 503, want 200", false},
		{"a fault is ignored", func(r *http.Request, a *labtest.Answer) {
			if r.Header.Get("Baggage") == "lab.fault=error" && hits.Add(1) > 1 { // the first is the pre-flight's
				a.Status = 200
			}
		}, "error answered 200, want 500", false},
		{"a read is not found", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "GET" && strings.HasPrefix(r.URL.Path, "/api/users/") {
				a.Status = 404
			}
		}, "get answered 404, want 200", false},
		{"a creation without an id", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "POST" {
				a.Body = []byte(`{}`)
			}
		}, "does not hold the new user's id", false},
		{"creations fail after the fact", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "POST" {
				a.Status = 500
			}
		}, "create answered 500, want 201", false},
		{"the connection breaks", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "POST" {
				a.Status = 0
			}
		}, "create without an answer: EOF", false},
		{"deletions are refused", func(r *http.Request, a *labtest.Answer) {
			if r.Method == "DELETE" {
				a.Status = 503
			}
		}, "delete answered 503, want 204", true},
		{"redirects are answers", func(r *http.Request, a *labtest.Answer) {
			if r.URL.Path == "/api/stats" {
				a.Status = 303
				a.Header.Set("Location", "/ready")
			}
		}, "stats answered 303, want 200", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := labtest.Start(t)
			lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) { tt.tamper(r, a) }
			r := run(t, traffic.Options{Frontend: lab.Frontend, Profile: quick()})
			problems := strings.Join(r.Problems(), "\n")
			if r.OK() || !strings.Contains(problems, tt.want) {
				t.Errorf("OK() = %v, problems:\n%s\nwant one that holds %q", r.OK(), problems, tt.want)
			}
			if r.Requests != 300 || r.Failed() == 0 {
				t.Errorf("%d sent, %d failed, want 300 and more than none", r.Requests, r.Failed())
			}
			if n := len(lab.Users()); n != 5 && !tt.left {
				t.Errorf("%d users afterwards, want the 5 from before", n)
			}
			if tt.left && (r.Outside.Left == 0 || !strings.Contains(problems, "left behind")) {
				t.Errorf("Outside = %+v, want it to tell of users left", r.Outside)
			}
		})
	}
}

func TestInterrupt(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var stopped time.Time
	p := quick()
	p.Rate, p.Requests, p.Delay = 300, 100_000, time.Second
	last := traffic.Event{}
	r, err := traffic.Run(ctx, traffic.Options{Frontend: lab.Frontend, Profile: p, Progress: func(e traffic.Event) {
		last = e
		if e.Sent >= 100 && stopped.IsZero() {
			stopped = time.Now()
			cancel()
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(stopped); took > 5*time.Second {
		t.Errorf("the run went on for %v after it was stopped", took)
	}
	if !r.Interrupted || r.OK() || r.Requests < 100 || r.Requests > 2000 || r.Dropped != p.Requests-r.Requests {
		t.Errorf("interrupted %v, OK %v, sent %d, dropped %d", r.Interrupted, r.OK(), r.Requests, r.Dropped)
	}
	if n := len(lab.Users()); n != 5 {
		t.Errorf("%d users afterwards, want the 5 from before", n)
	}
	if len(r.Unexpected)+len(r.Errors) > 0 {
		t.Errorf("answers under way were given up: %v", r.Problems())
	}
	if last.Phase != traffic.Done {
		t.Errorf("last event %v, want %q", last, traffic.Done)
	}
}

// TestSlowServerIsNotSlowTest shows the open loop: a server that answers late
// still gets its requests on schedule.
func TestSlowServerIsNotSlowTest(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	p := traffic.Profile{Name: "slow", Rate: 50, Requests: 100, Slow: 1, Delay: 400 * time.Millisecond}
	r := run(t, traffic.Options{Frontend: lab.Frontend, Profile: p})
	if !r.OK() {
		t.Errorf("problems %v", r.Problems())
	}
	if r.ByKind[traffic.Slow].P50 < 400*time.Millisecond {
		t.Errorf("latency %+v, want 400ms or more", r.Latency)
	}
}

func TestReportReadsBack(t *testing.T) {
	t.Parallel()
	lab := labtest.Start(t)
	lab.Tamper = func(_ string, r *http.Request, a *labtest.Answer) {
		switch {
		case r.URL.Path == "/api/stats":
			a.Status, a.Body = 500, []byte("hostile \x1b[2J")
		case r.Method == "POST":
			a.Status = 0
		}
	}
	want := run(t, traffic.Options{Frontend: lab.Frontend, Profile: quick()})
	var doc bytes.Buffer
	if err := want.WriteJSON(&doc); err != nil {
		t.Fatal(err)
	}
	var got traffic.Report
	if err := json.Unmarshal(doc.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	var again bytes.Buffer
	if err := got.WriteJSON(&again); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc.String(), again.String()); diff != "" {
		t.Errorf("read back and written (-first +second):\n%s", diff)
	}
	var text bytes.Buffer
	if err := want.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"FAIL: ", "stats answered 500, want 200", `hostile \x1b[2J`, "differs", "create without an answer"} {
		if !strings.Contains(text.String(), part) {
			t.Errorf("the text does not hold %q:\n%s", part, text.String())
		}
	}
}
