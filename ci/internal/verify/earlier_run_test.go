package verify

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// earlierRun sends the traffic that the verifier would have sent.
func earlierRun(t *testing.T, v *verifier) *traffic.Report {
	t.Helper()
	defer v.connect()()
	run, err := v.send(t.Context(), traffic.Options{Frontend: v.Addresses.Frontend, Profile: v.Profile, Before: v.countBefore})
	if err != nil || !run.OK() {
		t.Fatalf("sending traffic: %v, %v", err, run.Problems())
	}
	return &run
}

// TestEarlierRun verifies a run of more traces than Loki answers with series.
func TestEarlierRun(t *testing.T) {
	f := startFake(t)
	v := f.verifier()
	v.Run = earlierRun(t, v)
	prefix := v.Run.TracePrefix
	const many = 2*linesChunk + 100
	for n := v.Run.Requests + 1; n <= many; n++ {
		f.store(exchange{
			from: "traffic", n: n, service: "frontend", method: "GET", route: "/api/users", path: "/api/users", status: 200,
			traceID: traffic.TraceID(prefix, n), parent: strings.Repeat("a", 16), sampled: true, at: time.Now(),
		})
	}
	v.Run.BackendRequests += many - v.Run.Requests
	v.Run.Requests = many
	r, err := v.run(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("a whole run fails: %v\n%s", err, details(r))
	}
	f.mu.Lock()
	f.logs = slices.DeleteFunc(f.logs, func(l query.Line) bool {
		return l.Labels["trace_id"] == traffic.TraceID(prefix, many) && l.Labels["service_name"] == "frontend"
	})
	f.mu.Unlock()
	again := f.verifier()
	again.Run, again.timing = v.Run, quick(longLimit/3)
	r, err = again.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// The counters have counted the first verification too.
	lost := tampering{fails: []string{frontLines, frontCount, backCount}, says: traffic.TraceID(prefix, many)}
	if wrong := lost.wrong(result{r, nil}); wrong != "" {
		t.Error(wrong)
	}
}

// lagging lets the samples of some series be queried late, as if they were exported
// or scraped from time to time.
func lagging(f *fake, lag time.Duration, names ...string) {
	f.lag = func(l labels) time.Duration {
		if slices.Contains(names, l["__name__"]) {
			return lag
		}
		return 0
	}
}

// ask makes some requests to the frontend.
func ask(t *testing.T, f *fake, path string, times int) {
	t.Helper()
	for range times {
		resp, err := http.Get(f.Frontend + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
}

// TestRequestsJustBeforeTheRun: requests that were made just before the traffic, and
// are counted only when it has begun, are not the traffic's.
func TestRequestsJustBeforeTheRun(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	lagging(f, 300*time.Millisecond, "http_server_request_duration_seconds_count", "go_goroutine_count")
	ask(t, f, "/api/users", 5)
	v := f.verifier()
	v.Run = earlierRun(t, v)
	r, err := v.run(t.Context())
	if err != nil || !r.OK() {
		t.Fatalf("it fails: %v\n%s", err, details(r))
	}
	if base := v.Run.Before.Counters[requestCounters[0]]; base < 5 {
		t.Errorf("before the run the frontend had counted %v requests, want the 5 that came before", base)
	}
}

// TestLossesOfTheRun: a loss while the traffic is sent fails a check, also when verify
// begins later. A loss just before the traffic does not, though it is counted later.
func TestLossesOfTheRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		lose  func(f *fake, n int) bool // whether something is lost at request n; 0 is before the traffic
		fails []string
	}{
		{"while it ran", func(_ *fake, n int) bool { return n == 7 }, []string{"nothing lost: Loki discarded lines"}},
		{"just before", func(_ *fake, n int) bool { return n == 0 }, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := startFake(t)
			lagging(f, 300*time.Millisecond, "loki_discarded_samples_total", "up")
			lose := func(n int) {
				if c.lose(f, n) {
					f.mu.Lock()
					defer f.mu.Unlock()
					f.add(labels{"__name__": "loki_discarded_samples_total", "job": "loki", "reason": "line_too_long"}, 2)
				}
			}
			lose(0)
			f.seen = func(x exchange) {
				if x.n > 0 {
					lose(x.n)
				}
			}
			v := f.verifier()
			v.Run = earlierRun(t, v)
			time.Sleep(400 * time.Millisecond) // until it is counted
			r, err := v.run(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, check := range failures(r) {
				got = append(got, name(check))
			}
			if !slices.Equal(got, c.fails) {
				t.Errorf("failed checks %q, want %q\n%s", got, c.fails, details(r))
			}
		})
	}
}

// TestRunWithoutBefore: a report without the counters before it fails one check, which
// says why. The checks that compare with the counters are skipped.
func TestRunWithoutBefore(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	v := f.verifier()
	v.Run = earlierRun(t, v)
	v.Run.Before = traffic.Before{Error: "Mimir is away"}
	r, err := v.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if wrong := (tampering{fails: []string{earlierOne}, says: "what was counted before the run: Mimir is away"}).wrong(result{r, nil}); wrong != "" {
		t.Error(wrong)
	}
	if n := r.Count().Skipped; n < len(losses)+len(requestCounters) {
		t.Errorf("%d checks are skipped, want those of %d losses and %d counters at least", n, len(losses), len(requestCounters))
	}
}

// TestFreshMetricIsTheProbes: when earlier requests are counted late, the check does not
// take them for the one request.
func TestFreshMetricIsTheProbes(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	lagging(f, 300*time.Millisecond, "http_server_request_duration_seconds_count", "go_goroutine_count")
	f.samples = func(x exchange, l labels, by float64) float64 {
		if x.traceID != "" && l["http_route"] == probeRoute { // verify's own requests, and the traffic's
			return 0
		}
		return by
	}
	ask(t, f, "/api/users/1", 3)
	v := f.verifier()
	v.timing = quick(longLimit / 3)
	r, err := v.run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var failed bool
	for _, check := range failures(r) {
		failed = failed || name(check) == freshMetric
	}
	if !failed {
		t.Errorf("%q passes, though the request was not counted:\n%s", freshMetric, details(r))
	}
}

// TestWhatIsSentAgainIsNoLoss: a refusal because of a rate is not a loss, since Alloy
// sends the same again, and neither is what a killed Loki reads twice.
func TestWhatIsSentAgainIsNoLoss(t *testing.T) {
	t.Parallel()
	f := startFake(t)
	f.seen = func(x exchange) {
		if x.n == 7 {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.add(labels{"__name__": "loki_discarded_samples_total", "job": "loki", "reason": "per_stream_rate_limit"}, 2)
			f.add(labels{"__name__": "loki_ingester_wal_discarded_samples_total", "job": "loki", "reason": "duplicate"}, 40)
			f.add(labels{"__name__": "tempo_discarded_spans_total", "job": "tempo", "reason": "rate_limited"}, 2)
			f.add(labels{"__name__": "cortex_discarded_samples_total", "job": "mimir", "reason": "rate_limited"}, 2)
		}
	}
	v := f.verifier()
	if r, err := v.run(t.Context()); err != nil || !r.OK() {
		t.Errorf("it fails: %v\n%s", err, details(r))
	}
}
