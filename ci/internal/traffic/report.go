package traffic

import (
	"fmt"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

// MinRateShare is the part of the asked rate that a run must achieve. A slower run says
// nothing about the services under that load.
const MinRateShare = 0.95

// LateAfter is how long after its due time a request is sent before it counts as
// late.
const LateAfter = 100 * time.Millisecond

// Report is what a run did and saw. Its JSON form is described at
// [Report.MarshalJSON].
type Report struct {
	// Profile is what was asked for, overrides included.
	Profile Profile
	// Frontend is the base URL that the requests were sent to.
	Frontend string
	// TracePrefix is the first half of every trace id, 16 hex digits; see [TraceID].
	TracePrefix string
	// Requests is the number of requests sent; their trace ids are
	// TraceID(TracePrefix, 1) to TraceID(TracePrefix, Requests).
	Requests int
	// BackendRequests is how many of them the backend has answered: all but those that
	// ended with a transport error or with the frontend's own 502, 503 or 504.
	BackendRequests int
	// Dropped is how many of the asked requests were never sent.
	Dropped int
	// Started is when the first request was due; the pre-flight had ended.
	// Finished is when the last answer came; cleaning up came after.
	Started, Finished time.Time
	// Rate is the achieved rate in requests per second, from the first request
	// sent to the last.
	Rate float64
	// Lag says how late requests were sent. Latencies count from the actual
	// sending, so a late generator shows here and not in them.
	Lag Lag
	// Latency is over all answered requests, ByKind over those of each kind.
	Latency Latency
	ByKind  map[Kind]Latency
	// Kinds counts the requests sent by kind.
	Kinds map[Kind]int
	// Statuses counts the answers by status, Expected the right answers. A request that
	// ended with a transport error is in Expected alone.
	Statuses, Expected map[int]int
	// Unexpected is answered requests with a wrong status or body, grouped.
	Unexpected []Unexpected
	// Errors is requests without an answer, grouped.
	Errors []TransportError
	// Before is what the lab had counted before the run.
	Before Before
	// Outside counts the requests before and after the run. They have other trace ids,
	// which are marked as not sampled.
	Outside Outside
	// Interrupted is whether the run was stopped before its end.
	Interrupted bool
}

// Lag is how long after their due time requests were sent.
type Lag struct {
	P99, Max time.Duration
	// Late is the number of requests sent more than LateAfter after they were due.
	Late int
}

// Latency is the time from sending a request to the end of its answer, and how
// many answers it is taken from.
type Latency struct {
	Count              int
	P50, P95, P99, Max time.Duration
}

// Unexpected is a group of wrong answers that are alike.
type Unexpected struct {
	Kind   Kind
	Status int
	Want   int
	Count  int
	// TraceID and Body (at most 200 bytes) are of the first of them.
	TraceID string
	Body    string
	// Wrong says what is wrong when the status is right; empty otherwise.
	Wrong string
}

// TransportError is a group of requests that ended without an answer in the same way.
type TransportError struct {
	Kind    Kind
	Error   string // without the addresses
	Count   int
	TraceID string // of the first of them
}

// Before is what the lab had counted when a run began. A later check compares with it,
// to see what the run has changed.
type Before struct {
	// At is when the counters were read; the zero time says that they were not.
	At time.Time
	// Counters are sums of series by their PromQL selectors; 0 where Mimir had no
	// series.
	Counters map[string]float64
	// Error says why the counters could not be read.
	Error string
}

// Outside is the requests that are no part of the run.
type Outside struct {
	// Preflight is the number of requests to /api before the run, all ended
	// before Started. All of them reach the backend.
	Preflight int
	// Cleanup is the number of requests to /api after the run. A run that went
	// as planned deletes its users within its requests and needs no cleanup.
	Cleanup int
	// Left is the number of this run's users that could not be deleted, and
	// CleanupError says why.
	Left         int
	CleanupError string
}

// OK reports whether the run went as its profile asked; see [Report.Problems].
func (r Report) OK() bool { return len(r.Problems()) == 0 }

// Problems has a sentence for each thing that went wrong: an interrupted run, requests
// not sent, a rate below [MinRateShare], an unexpected answer, a transport error, users
// left behind. It is empty when all went well.
func (r Report) Problems() []string {
	var out []string
	add := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if r.Interrupted {
		add("the run was interrupted after %d of %d requests", r.Requests, r.Profile.Requests)
	} else if r.Requests != r.Profile.Requests {
		add("%d of %d requests were sent", r.Requests, r.Profile.Requests)
	}
	if least := r.Profile.Rate * MinRateShare; r.Rate < least && !r.Interrupted {
		add("the rate was %.1f/s, asked %g/s (at least %.1f/s); the generator was up to %v late",
			r.Rate, r.Profile.Rate, least, r.Lag.Max.Round(time.Millisecond))
	}
	for _, u := range r.Unexpected {
		if u.Wrong != "" {
			add("%d x %s: %s (trace %s)", u.Count, u.Kind, u.Wrong, u.TraceID)
			continue
		}
		add("%d x %s answered %d, want %d (trace %s)", u.Count, u.Kind, u.Status, u.Want, u.TraceID)
	}
	for _, e := range r.Errors {
		add("%d x %s without an answer: %s (trace %s)", e.Count, e.Kind, e.Error, e.TraceID)
	}
	if r.Outside.Left > 0 || r.Outside.CleanupError != "" {
		add("users of this run left behind: %d (%s)", r.Outside.Left, r.Outside.CleanupError)
	}
	return out
}

// Failed is the number of requests with an unexpected answer or without an answer.
func (r Report) Failed() int {
	n := 0
	for _, u := range r.Unexpected {
		n += u.Count
	}
	for _, e := range r.Errors {
		n += e.Count
	}
	return n
}

// reachesBackend reports whether an answer with that status to a proxied request
// is the backend's: 502, 503 and 504 may be the frontend's own.
func reachesBackend(status int) bool {
	switch status {
	case http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return false
	}
	return true
}

// latencyOf sorts the samples in place and takes its figures from them.
func latencyOf(samples []time.Duration) Latency {
	if len(samples) == 0 {
		return Latency{}
	}
	slices.Sort(samples)
	return Latency{
		Count: len(samples),
		P50:   quantile(samples, 0.50), P95: quantile(samples, 0.95), P99: quantile(samples, 0.99),
		Max: samples[len(samples)-1],
	}
}

// quantile is the smallest sample that at least the share q of the sorted
// samples do not exceed.
func quantile(samples []time.Duration, q float64) time.Duration {
	i := int(math.Ceil(q*float64(len(samples))-1e-9)) - 1 // less a rounding error: 0.95 × 100 is 95
	return samples[min(max(i, 0), len(samples)-1)]
}

// withoutAddresses keeps the part of a transport error after the last address. That
// part is the same for all requests.
func withoutAddresses(err string) string {
	if i := strings.LastIndex(err, ": "); i >= 0 {
		return err[i+2:]
	}
	return err
}
