package traffic

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"
)

// recent is how many of the last answers the progress line's p95 is taken from.
const recent = 1000

// collector gathers the results of a run. One goroutine uses it.
type collector struct {
	prefix     string
	pace       *pace
	planner    *planner
	report     *Report
	latencies  map[Kind][]time.Duration
	lags       []time.Duration
	last       []time.Duration // the most recent latencies, a ring
	unexpected map[Unexpected]*Unexpected
	errors     map[TransportError]*TransportError
	answered   int
	failed     int
	firstSent  time.Time
	lastSent   time.Time
	each       func(Answer)
}

func newCollector(r *Report, p *planner, pc *pace) *collector {
	r.Kinds, r.Statuses, r.Expected, r.ByKind = map[Kind]int{}, map[int]int{}, map[int]int{}, map[Kind]Latency{}
	return &collector{
		prefix: r.TracePrefix, pace: pc, planner: p, report: r,
		latencies:  make(map[Kind][]time.Duration),
		unexpected: make(map[Unexpected]*Unexpected), errors: make(map[TransportError]*TransportError),
	}
}

// add takes in one result. A result without a sequence number belongs to a request
// that was not made, because the run was over.
func (c *collector) add(res *vegeta.Result) {
	n := sequence(res.URL)
	if n == 0 {
		return
	}
	status := int(res.Code)
	req, wrong := c.planner.settle(n, status, res.Body)
	c.sent(req, res)
	c.ended(Answer{N: req.n, TraceID: TraceID(c.prefix, req.n), Kind: req.kind, Status: status, Rejected: rejected(res), Sent: res.Timestamp, Ended: res.End(), UserID: req.id, Wrong: wrong, Error: res.Error})
	if status == 0 {
		c.transportError(req, res.Error)
		return
	}
	c.answered++
	c.report.Statuses[status]++
	c.latencies[req.kind] = append(c.latencies[req.kind], res.Latency)
	c.remember(res.Latency)
	if end := res.End(); end.After(c.report.Finished) {
		c.report.Finished = end
	}
	if reachesBackend(status) {
		c.report.BackendRequests++
	}
	if status != want(req.kind) || wrong != "" {
		c.notExpected(req, status, wrong, res.Body)
	}
}

// rejected tells whether the frontend has turned the request away; see [Answer].
func rejected(res *vegeta.Result) bool {
	return res.Code == http.StatusServiceUnavailable && res.Headers.Get("X-Trace-Id") == ""
}

// ended tells the caller of a request that has ended.
func (c *collector) ended(a Answer) {
	if c.each != nil {
		c.each(a)
	}
}

func (c *collector) sent(req planned, res *vegeta.Result) {
	c.report.Kinds[req.kind]++
	c.report.Expected[want(req.kind)]++
	lag := c.pace.lag(res.Seq, res.Timestamp)
	c.lags = append(c.lags, lag)
	if lag > LateAfter {
		c.report.Lag.Late++
	}
	if c.firstSent.IsZero() || res.Timestamp.Before(c.firstSent) {
		c.firstSent = res.Timestamp
	}
	if res.Timestamp.After(c.lastSent) {
		c.lastSent = res.Timestamp
	}
}

func (c *collector) notExpected(req planned, status int, wrong string, body []byte) {
	c.failed++
	key := Unexpected{Kind: req.kind, Status: status, Want: want(req.kind), Wrong: wrong}
	u := c.unexpected[key]
	if u == nil {
		u = &key
		c.unexpected[Unexpected{Kind: req.kind, Status: status, Want: want(req.kind), Wrong: wrong}] = u
		u.TraceID = TraceID(c.prefix, req.n)
		u.Body = string(body[:min(len(body), 200)])
	}
	u.Count++
}

func (c *collector) transportError(req planned, message string) {
	c.failed++
	key := TransportError{Kind: req.kind, Error: withoutAddresses(message)}
	e := c.errors[key]
	if e == nil {
		e = &TransportError{Kind: key.Kind, Error: key.Error, TraceID: TraceID(c.prefix, req.n)}
		c.errors[key] = e
	}
	e.Count++
}

func (c *collector) remember(d time.Duration) {
	if len(c.last) < recent {
		c.last = append(c.last, d)
		return
	}
	c.last[c.answered%recent] = d
}

// event is the progress so far.
func (c *collector) event(phase Phase, now time.Time) Event {
	sent, underway := c.planner.progress()
	e := Event{
		Phase: phase, Elapsed: now.Sub(c.report.Started), Sent: sent, Total: c.report.Profile.Requests,
		Underway: underway, Failed: c.failed, P95: latencyOf(slices.Clone(c.last)).P95,
	}
	if span := c.lastSent.Sub(c.firstSent).Seconds(); span > 0 {
		e.Rate = float64(max(len(c.lags)-1, 0)) / span
	}
	return e
}

// finish computes the figures that are known at the end only.
func (c *collector) finish() {
	r := c.report
	// An interrupted run may have given up waiting for answers.
	for _, req := range c.planner.abandoned() {
		c.report.Kinds[req.kind]++
		c.report.Expected[want(req.kind)]++
		const notAnswered = "not answered before the run was stopped"
		c.transportError(req, notAnswered)
		c.ended(Answer{N: req.n, TraceID: TraceID(c.prefix, req.n), Kind: req.kind, Sent: c.pace.began.Add(c.pace.due(uint64(req.n - 1))), Ended: time.Now(), UserID: req.id, Error: notAnswered})
	}
	r.Requests, _ = c.planner.progress()
	r.Dropped = r.Profile.Requests - r.Requests
	for kind, samples := range c.latencies {
		r.ByKind[kind] = latencyOf(samples)
	}
	r.Latency = latencyOf(slices.Concat(slices.Collect(maps.Values(c.latencies))...))
	if lag := latencyOf(c.lags); lag.Count > 0 {
		r.Lag.P99, r.Lag.Max = lag.P99, lag.Max
	}
	// N requests have N-1 gaps; a single one is as quick as was asked.
	switch span := c.lastSent.Sub(c.firstSent).Seconds(); {
	case span > 0:
		r.Rate = float64(len(c.lags)-1) / span
	case len(c.lags) > 0:
		r.Rate = r.Profile.Rate
	}
	for _, u := range c.unexpected {
		r.Unexpected = append(r.Unexpected, *u)
	}
	slices.SortFunc(r.Unexpected, func(a, b Unexpected) int { return strings.Compare(a.TraceID, b.TraceID) })
	for _, e := range c.errors {
		r.Errors = append(r.Errors, *e)
	}
	slices.SortFunc(r.Errors, func(a, b TransportError) int { return strings.Compare(a.TraceID, b.TraceID) })
}
