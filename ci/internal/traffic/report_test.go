package traffic_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

func fixed() traffic.Report {
	ms := time.Millisecond
	started := time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)
	smoke, _ := traffic.ByName("smoke")
	latency := traffic.Latency{Count: 4, P50: 2 * ms, P95: 12 * ms, P99: 101 * ms, Max: 1200 * ms}
	return traffic.Report{
		Profile: smoke, Frontend: "http://localhost:8080", TracePrefix: "8123456789abcdef",
		Requests: 5, BackendRequests: 4, Dropped: 195, Started: started, Finished: started.Add(5100 * ms), Rate: 12.5,
		Lag: traffic.Lag{P99: 3 * ms, Max: 140 * ms, Late: 1}, Latency: latency,
		ByKind:   map[traffic.Kind]traffic.Latency{traffic.List: latency},
		Kinds:    map[traffic.Kind]int{traffic.List: 4, traffic.Create: 1},
		Statuses: map[int]int{200: 3, 500: 1}, Expected: map[int]int{200: 4, 201: 1},
		Unexpected: []traffic.Unexpected{{Kind: traffic.List, Status: 500, Want: 200, Count: 1,
			TraceID: "8123456789abcdef0000000000000002", Body: "{\"title\":\n\"\x1b[31m<Internal>\"}"}},
		Errors:  []traffic.TransportError{{Kind: traffic.Create, Error: "EOF", Count: 1, TraceID: "8123456789abcdef0000000000000005"}},
		Before:  traffic.Before{At: started.Add(-ms), Counters: map[string]float64{`up{job="mimir"}`: 1, `lost_total{a="<b>"}`: 2.5}},
		Outside: traffic.Outside{Preflight: 2, Cleanup: 3, Left: 1, CleanupError: "deleting user 9 answered 503"},
	}
}

func TestReportGolden(t *testing.T) {
	good := fixed()
	good.Requests, good.Rate, good.Dropped, good.Unexpected, good.Errors = 200, 40, 0, nil, nil
	good.Statuses, good.Expected, good.Outside = map[int]int{200: 200}, map[int]int{200: 200}, traffic.Outside{Preflight: 2}
	var text, doc, goodText bytes.Buffer
	for _, err := range []error{fixed().WriteText(&text), fixed().WriteJSON(&doc), good.WriteText(&goodText)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for file, got := range map[string]string{"report.txt": text.String(), "report.json": doc.String(), "report-ok.txt": goodText.String()} {
		golden := filepath.Join("testdata", file)
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(strings.ReplaceAll(string(want), "\r\n", "\n"), got); diff != "" {
			t.Errorf("differs from %s (-want +got), -update rewrites it:\n%s", golden, diff)
		}
	}
	if fixed().OK() || !good.OK() {
		t.Errorf("OK() = %v, %v, want false, true: %q", fixed().OK(), good.OK(), good.Problems())
	}
}

// TestProblems changes one thing at a time in a good report.
func TestProblems(t *testing.T) {
	good := traffic.Report{Profile: traffic.Profile{Rate: 100, Requests: 10}, Requests: 10, Rate: 95}
	if got := good.Problems(); len(got) > 0 {
		t.Fatalf("problems of a good report: %q", got)
	}
	for name, tt := range map[string]struct {
		change func(*traffic.Report)
		want   string
	}{
		"too slow":    {func(r *traffic.Report) { r.Rate = 94.9 }, "the rate was 94.9/s, asked 100/s"},
		"too few":     {func(r *traffic.Report) { r.Requests = 9 }, "9 of 10 requests"},
		"interrupted": {func(r *traffic.Report) { r.Interrupted = true }, "interrupted"},
		"unexpected": {func(r *traffic.Report) {
			r.Unexpected = []traffic.Unexpected{{Kind: "get", Status: 404, Want: 200, Count: 2}}
		}, "2 x get answered 404, want 200"},
		"no answer":     {func(r *traffic.Report) { r.Errors = []traffic.TransportError{{Kind: "get", Error: "EOF", Count: 1}} }, "1 x get without an answer: EOF"},
		"users left":    {func(r *traffic.Report) { r.Outside.Left = 1 }, "left behind: 1"},
		"cleanup fails": {func(r *traffic.Report) { r.Outside.CleanupError = "no list" }, "no list"},
	} {
		r := good
		tt.change(&r)
		if got := r.Problems(); r.OK() || len(got) != 1 || !strings.Contains(got[0], tt.want) {
			t.Errorf("%s: OK() = %v, problems %q, want one that holds %q", name, r.OK(), got, tt.want)
		}
	}
}

func TestProfiles(t *testing.T) {
	for _, p := range traffic.Profiles() {
		if got, err := traffic.ByName(p.Name); err != nil || got != p {
			t.Errorf("ByName(%q) = %+v, %v", p.Name, got, err)
		}
		if _, err := p.With(traffic.Overrides{}); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
	if _, err := traffic.ByName("storm"); err == nil || !strings.Contains(err.Error(), "smoke, steady, heavy") {
		t.Errorf("ByName(storm) = %v, want an error that lists the profiles", err)
	}
	steady, _ := traffic.ByName("steady")
	if steady.Duration() != 5*time.Minute {
		t.Errorf("steady takes %v, want 5m", steady.Duration())
	}
}

func TestOverrides(t *testing.T) {
	half, two, seed := 0.5, 2.0, uint64(9)
	base := traffic.Profile{Name: "base", Rate: 30, Requests: 300, Slow: 0.1, Error: 0.1, Delay: time.Second, Seed: 1}
	tests := []struct {
		name     string
		give     traffic.Overrides
		rate     float64
		requests int
		err      string
	}{
		{"nothing", traffic.Overrides{}, 30, 300, ""},
		{"rate", traffic.Overrides{Rate: 60}, 60, 300, ""},
		{"requests", traffic.Overrides{Requests: 5}, 30, 5, ""},
		{"duration", traffic.Overrides{Duration: 2 * time.Second}, 30, 60, ""},
		{"rate and duration", traffic.Overrides{Rate: 7.5, Duration: 4 * time.Second}, 7.5, 30, ""},
		{"requests and duration", traffic.Overrides{Requests: 100, Duration: 4 * time.Second}, 25, 100, ""},
		{"a duration below one request", traffic.Overrides{Duration: time.Millisecond}, 30, 1, ""},
		{"shares and seed", traffic.Overrides{Slow: &half, Error: &half, Seed: &seed}, 30, 300, ""},
		{"all three", traffic.Overrides{Rate: 1, Requests: 1, Duration: time.Second}, 0, 0, "at most two"},
		{"negative", traffic.Overrides{Rate: -1}, 0, 0, "must not be negative"},
		{"too quick", traffic.Overrides{Rate: 1e6}, 0, 0, "rate 1e+06 is not between"},
		{"too many", traffic.Overrides{Duration: 10_000 * time.Hour}, 0, 0, "number of requests"},
		{"share above 1", traffic.Overrides{Slow: &two}, 0, 0, "share of slow requests 2"},
		{"shares above 1 together", traffic.Overrides{Slow: &half, Error: new(0.6)}, 0, 0, "more than 1 together"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := base.With(tt.give)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("error %v, want one that holds %q", err, tt.err)
				}
				return
			}
			if err != nil || got.Rate != tt.rate || got.Requests != tt.requests {
				t.Errorf("rate %v, requests %d, %v, want %v, %d", got.Rate, got.Requests, err, tt.rate, tt.requests)
			}
			if tt.give.Seed != nil && (got.Seed != 9 || got.Slow != 0.5 || got.Error != 0.5) {
				t.Errorf("%+v, want seed 9 and both shares 0.5", got)
			}
		})
	}
}

func TestProgressTo(t *testing.T) {
	var b bytes.Buffer
	now := time.Unix(0, 0)
	show := traffic.ProgressTo(progress.New(&b, progress.Log, 0, func() time.Time { return now }))
	event := func(phase traffic.Phase, elapsed time.Duration, sent int) {
		now = time.Unix(0, 0).Add(elapsed)
		show(traffic.Event{Phase: phase, Elapsed: elapsed, Sent: sent, Total: 400, Rate: 40, P95: 3 * time.Millisecond})
	}
	event(traffic.Preflight, 0, 0)
	for i := range 51 { // ten seconds, five times a second
		event(traffic.Sending, time.Duration(i)*200*time.Millisecond, i*8)
	}
	event(traffic.Done, 10200*time.Millisecond, 400)
	want := `pre-flight
sending: 0/400 sent in 0s, 40.0/s, 0 under way, 0 failed, p95 3.0ms
sending: 400/400 sent in 10.0s, 40.0/s, 0 under way, 0 failed, p95 3.0ms
done: 400/400 sent in 10.2s, 40.0/s, 0 under way, 0 failed, p95 3.0ms
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
}
