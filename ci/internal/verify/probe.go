package verify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// probe is one request with a known trace id, and the telemetry found of it.
type probe struct {
	traceID, parentID string
	sent, answered    time.Time
	// err is why the request could not be made, or what is wrong with its answer.
	err error

	// spans and way are the part of its trace that was found; wayErr is what is wrong
	// with the trace.
	spans  []query.Span
	way    path
	wayErr error

	mu sync.Mutex
	// found holds, for each signal, when it could be queried.
	found map[string]outcomeAt
	done  sync.WaitGroup
}

// outcomeAt is how long after the request a signal was found, or why it was not.
type outcomeAt struct {
	after time.Duration
	err   error
}

// The signals: each is one kind of telemetry that a request leaves.
const (
	traceByID   = "trace by id"
	traceSearch = "trace by search"
	logLine     = "log line"
	metric      = "metric"
	exemplar    = "exemplar"
	spanMetric  = "span metric"
)

var signals = []string{traceByID, traceSearch, logLine, metric, exemplar, spanMetric}

// get makes a GET request with the given baggage. It begins the trace traceID, below a
// parent span that exists in the request alone.
func (v *verifier) get(ctx context.Context, path, baggage string) (p *probe, status int, body []byte) {
	id := v.newTraceID()
	p = &probe{traceID: id, parentID: traceparent.ClientSpanID(id), found: map[string]outcomeAt{}}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.Addresses.Frontend+path, nil)
	if err != nil {
		p.err = err
		return p, 0, nil
	}
	req.Header.Set("User-Agent", "lgtm-lab-verify")
	req.Header.Set("Traceparent", traceparent.Header(p.traceID, p.parentID))
	if baggage != "" {
		req.Header.Set("Baggage", baggage)
	}
	p.sent = time.Now()
	resp, err := v.http.Do(req)
	if err != nil {
		p.err = err
		return p, 0, nil
	}
	defer resp.Body.Close()
	body, p.err = io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	p.answered = time.Now()
	if own := resp.Header.Get("X-Trace-Id"); p.err == nil && own != "" && own != id {
		p.err = fmt.Errorf("the frontend began the trace %s in the place of %s: it trusts no caller's traceparent, and verify needs one that does: PUBLIC_ENDPOINT=false", own, id)
	}
	return p, resp.StatusCode, body
}

// newTraceID returns the id of a trace that the lab keeps, whatever is in it.
func (v *verifier) newTraceID() string {
	for {
		if id := traceparent.NewTraceID(); v.kept.Keeps(id) {
			return id
		}
	}
}

// probeRoute is the route of the one request, and the counters that count it.
const (
	probeRoute  = "/api/users/{id}"
	probed      = `http_server_request_duration_seconds_count{service_name="frontend",http_route=%q}`
	spanCalls   = `traces_spanmetrics_calls_total{service="frontend",span_kind="SPAN_KIND_SERVER",http_route=%q}`
	spanLatency = `traces_spanmetrics_latency_bucket{service="frontend",span_kind="SPAN_KIND_SERVER",http_route=%q}`
)

// startProbe sends one request, and begins to look for each of its signals.
func (v *verifier) startProbe(ctx context.Context) *probe {
	before := v.readAll(ctx, []string{fmt.Sprintf(probed, probeRoute), fmt.Sprintf(spanCalls, probeRoute)}, time.Now())
	requests, spans := before[0], before[1]
	if err := errors.Join(requests.err, spans.err, v.findUser(ctx)); err != nil {
		return &probe{err: fmt.Errorf("preparing the one request: %w", err)}
	}
	path := "/api/users/" + strconv.FormatInt(v.sample, 10)
	p, status, body := v.get(ctx, path, "")
	if p.err == nil && status != http.StatusOK {
		p.err = fmt.Errorf("GET %s answered %d, not 200: %.200q", path, status, body)
	}
	if p.err != nil {
		return p
	}
	for name, look := range v.looks(p, requests, spans) {
		p.done.Go(func() {
			err := v.poll(ctx, v.timing.fresh[name], look)
			p.mu.Lock()
			defer p.mu.Unlock()
			p.found[name] = outcomeAt{time.Since(p.sent), err}
		})
	}
	return p
}

// looks are the ways to find each signal of the probe. The counters were read before
// it.
func (v *verifier) looks(p *probe, requests, spans counter) map[string]func(context.Context) error {
	from := p.sent.Add(-time.Minute)
	return map[string]func(context.Context) error{
		traceByID: func(ctx context.Context) error { _, err := v.tempo.Trace(ctx, p.traceID); return err },
		traceSearch: func(ctx context.Context) error {
			ids, err := v.tempo.Search(ctx, `{ trace:id = "`+p.traceID+`" }`, from, time.Now(), 1)
			if err == nil && !slices.Contains(ids, p.traceID) {
				err = fmt.Errorf("Tempo's search does not find the trace %s", p.traceID)
			}
			return err
		},
		logLine: func(ctx context.Context) error {
			lines, err := v.loki.Lines(ctx, `{service_name="frontend"} | trace_id="`+p.traceID+`"`, from, time.Now(), 10)
			if err == nil && len(lines) == 0 {
				err = fmt.Errorf("Loki has no line of the trace %s", p.traceID)
			}
			return err
		},
		metric: func(ctx context.Context) error {
			// A sample from before the answer counts earlier requests alone.
			if err := v.sampledSince(ctx, requests.selector, p.answered); err != nil {
				return err
			}
			_, err := v.counts(ctx, requests)
			return err
		},
		exemplar: func(ctx context.Context) error {
			found, err := v.mimir.Exemplars(ctx, exemplarSources[0].selector, from, time.Now())
			for _, e := range found {
				// A histogram keeps one exemplar for each bucket and export interval. When
				// others send requests, that may be a later one.
				if e.TraceID == p.traceID || e.TraceID != "" && e.Time.After(p.sent) {
					return nil
				}
			}
			if err == nil {
				err = errors.New("Mimir has no exemplar of the frontend's requests from this one on")
			}
			return err
		},
		spanMetric: func(ctx context.Context) error {
			if _, err := v.counts(ctx, spans); err != nil {
				return err
			}
			return v.spanCounted(ctx, p)
		},
	}
}

// spanCounted fails unless the span metrics have counted a span of the probe or of a
// later request. Tempo counts a span some seconds after its request, so an earlier
// request may have let the counter rise. An exemplar says which trace was counted.
func (v *verifier) spanCounted(ctx context.Context, p *probe) error {
	found, err := v.mimir.Exemplars(ctx, fmt.Sprintf(spanLatency, probeRoute), p.sent.Add(-time.Minute), time.Now())
	if err != nil {
		return err
	}
	if slices.ContainsFunc(found, func(e query.Exemplar) bool { return e.TraceID == p.traceID }) {
		return nil
	}
	slices.SortFunc(found, func(a, b query.Exemplar) int { return b.Time.Compare(a.Time) })
	for _, e := range found[:min(len(found), 3)] {
		spans, err := v.tempo.Trace(ctx, e.TraceID)
		if err == nil && !spans[0].Start.Before(p.sent) {
			return nil
		}
	}
	return errors.New("the span metrics have no exemplar of the request or of a later one: what they have counted may be an earlier one")
}

// findUser notes the id of the first user in the list.
func (v *verifier) findUser(ctx context.Context) error {
	p, status, body := v.get(ctx, "/api/users?limit=1", "")
	if p.err != nil {
		return p.err
	}
	var page struct {
		Users []struct {
			ID int64 `json:"id"`
		} `json:"users"`
	}
	if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK || len(page.Users) == 0 {
		return fmt.Errorf("GET /api/users answered %d, not 200 with a user: %.200q", status, body)
	}
	v.sample = page.Users[0].ID
	return nil
}

// freshness reports how long each signal of the probe took.
func (v *verifier) freshness(p *probe) {
	p.done.Wait()
	for _, name := range signals {
		at, looked := p.found[name]
		o := outcome{measured: fmt.Sprintf("%.1f s", at.after.Seconds())}
		switch {
		case p.err != nil:
			o = outcome{err: p.err}
		case !looked:
			o = outcome{err: errors.New("verify has not looked for it")}
		case at.err != nil:
			o = outcome{measured: "not found", err: at.err}
		}
		v.add("freshness", name, fmt.Sprintf("≤ %.0f s", v.timing.fresh[name].Seconds()), o, at.after)
	}
}
