package traffic

import (
	"bytes"
	"fmt"
	"io"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// The JSON form of a Report. Other programs read it: see docs/json.md.
type (
	reportJSON struct {
		OK              bool                 `json:"ok"`
		Problems        []string             `json:"problems"`
		Profile         profileJSON          `json:"profile"`
		Frontend        string               `json:"frontend"`
		TracePrefix     string               `json:"trace_prefix"`
		Requests        int                  `json:"requests"`
		BackendRequests int                  `json:"backend_requests"`
		Dropped         int                  `json:"dropped"`
		Started         time.Time            `json:"started"`
		Finished        time.Time            `json:"finished"`
		Duration        float64              `json:"duration_seconds"`
		Rate            float64              `json:"rate_per_second"`
		Lag             lagJSON              `json:"lag"`
		Latency         latencyJSON          `json:"latency"`
		ByKind          map[Kind]latencyJSON `json:"latency_by_kind"`
		Kinds           map[Kind]int         `json:"requests_by_kind"`
		Statuses        map[int]int          `json:"statuses"`
		Expected        map[int]int          `json:"expected_statuses"`
		Unexpected      []unexpectedJSON     `json:"unexpected"`
		Errors          []errorJSON          `json:"errors"`
		Before          *beforeJSON          `json:"before,omitempty"`
		Outside         outsideJSON          `json:"outside"`
		Interrupted     bool                 `json:"interrupted"`
	}
	profileJSON struct {
		Name     string  `json:"name"`
		Rate     float64 `json:"rate_per_second"`
		Requests int     `json:"requests"`
		Slow     float64 `json:"slow_share"`
		Error    float64 `json:"error_share"`
		Delay    float64 `json:"delay_seconds"`
		Seed     uint64  `json:"seed"`
	}
	lagJSON struct {
		P99  float64 `json:"p99_seconds"`
		Max  float64 `json:"max_seconds"`
		Late int     `json:"late"`
	}
	latencyJSON struct {
		Count int     `json:"count"`
		P50   float64 `json:"p50_seconds"`
		P95   float64 `json:"p95_seconds"`
		P99   float64 `json:"p99_seconds"`
		Max   float64 `json:"max_seconds"`
	}
	unexpectedJSON struct {
		Kind    Kind   `json:"kind"`
		Status  int    `json:"status"`
		Want    int    `json:"want"`
		Count   int    `json:"count"`
		TraceID string `json:"sample_trace_id"`
		Body    string `json:"sample_body"`
		Wrong   string `json:"wrong,omitempty"`
	}
	errorJSON struct {
		Kind    Kind   `json:"kind"`
		Error   string `json:"error"`
		Count   int    `json:"count"`
		TraceID string `json:"sample_trace_id"`
	}
	beforeJSON struct {
		At       time.Time          `json:"at,omitzero"`
		Counters map[string]float64 `json:"counters"`
		Error    string             `json:"error,omitempty"`
	}
	outsideJSON struct {
		Preflight    int    `json:"preflight_requests"`
		Cleanup      int    `json:"cleanup_requests"`
		Left         int    `json:"users_left"`
		CleanupError string `json:"cleanup_error,omitempty"`
	}
)

// kindTraffic is the kind of document that a Report is; see [report.Encode].
const kindTraffic = "traffic"

// WriteJSON writes the report as indented JSON; times are RFC 3339 in UTC,
// durations in seconds, rates in requests per second, lists and maps never null:
//
//	schema_version, kind "traffic", ok, problems [sentence], profile {name, rate_per_second, requests, slow_share,
//	error_share, delay_seconds, seed}, frontend, trace_prefix, requests,
//	backend_requests, dropped, started, finished, duration_seconds,
//	rate_per_second, lag {p99_seconds, max_seconds, late},
//	latency {count, p50_seconds, p95_seconds, p99_seconds, max_seconds},
//	latency_by_kind {kind: latency}, requests_by_kind {kind: count},
//	statuses {status: count}, expected_statuses {status: count},
//	unexpected [{kind, status, want, count, sample_trace_id, sample_body, wrong}],
//	errors [{kind, error, count, sample_trace_id}],
//	before {at, counters {selector: value}, error},
//	outside {preflight_requests, cleanup_requests, users_left, cleanup_error},
//	interrupted
//
// wrong and cleanup_error are absent when empty, and before when Options.Before was not
// set. UnmarshalJSON ignores ok, problems and duration_seconds, which follow from the
// rest.
func (r Report) WriteJSON(w io.Writer) error { return report.Encode(w, kindTraffic, r.toJSON()) }

// MarshalJSON is what [Report.WriteJSON] writes.
func (r Report) MarshalJSON() ([]byte, error) {
	var doc bytes.Buffer
	err := r.WriteJSON(&doc)
	return doc.Bytes(), err
}

func (r Report) toJSON() reportJSON {
	// Without Round, the difference is that of the monotonic clock, which a reader does not have.
	started, finished := r.Started.Round(0).UTC(), r.Finished.Round(0).UTC()
	out := reportJSON{
		OK: r.OK(), Problems: r.Problems(), Profile: r.Profile.toJSON(), Frontend: r.Frontend, TracePrefix: r.TracePrefix,
		Requests: r.Requests, BackendRequests: r.BackendRequests, Dropped: r.Dropped,
		Started: started, Finished: finished, Duration: report.Seconds(finished.Sub(started)),
		Rate: r.Rate, Lag: lagJSON{report.Seconds(r.Lag.P99), report.Seconds(r.Lag.Max), r.Lag.Late},
		Latency: r.Latency.toJSON(), ByKind: map[Kind]latencyJSON{},
		Kinds: orEmpty(r.Kinds), Statuses: orEmpty(r.Statuses), Expected: orEmpty(r.Expected),
		Unexpected: []unexpectedJSON{}, Errors: []errorJSON{},
		Before: r.Before.toJSON(), Outside: outsideJSON(r.Outside), Interrupted: r.Interrupted,
	}
	if out.Problems == nil {
		out.Problems = []string{}
	}
	for k, l := range r.ByKind {
		out.ByKind[k] = l.toJSON()
	}
	for _, u := range r.Unexpected {
		out.Unexpected = append(out.Unexpected, unexpectedJSON(u))
	}
	for _, e := range r.Errors {
		out.Errors = append(out.Errors, errorJSON(e))
	}
	return out
}

// UnmarshalJSON reads what MarshalJSON wrote, so that a run made elsewhere can
// be verified and rendered here.
func (r *Report) UnmarshalJSON(data []byte) error {
	var in reportJSON
	if err := report.Decode(data, kindTraffic, &in); err != nil {
		return fmt.Errorf("reading a traffic report: %w", err)
	}
	*r = Report{
		Profile: in.Profile.profile(), Frontend: in.Frontend, TracePrefix: in.TracePrefix,
		Requests: in.Requests, BackendRequests: in.BackendRequests, Dropped: in.Dropped,
		Started: in.Started, Finished: in.Finished, Rate: in.Rate,
		Lag:     Lag{report.FromSeconds(in.Lag.P99), report.FromSeconds(in.Lag.Max), in.Lag.Late},
		Latency: in.Latency.latency(), ByKind: map[Kind]Latency{},
		Kinds: in.Kinds, Statuses: in.Statuses, Expected: in.Expected,
		Outside: Outside(in.Outside), Interrupted: in.Interrupted,
	}
	if in.Before != nil {
		r.Before = Before(*in.Before)
	}
	for k, l := range in.ByKind {
		r.ByKind[k] = l.latency()
	}
	for _, u := range in.Unexpected {
		r.Unexpected = append(r.Unexpected, Unexpected(u))
	}
	for _, e := range in.Errors {
		r.Errors = append(r.Errors, TransportError(e))
	}
	return nil
}

func (p Profile) toJSON() profileJSON {
	return profileJSON{p.Name, p.Rate, p.Requests, p.Slow, p.Error, report.Seconds(p.Delay), p.Seed}
}

// profile is without the description, which is no part of the JSON.
func (p profileJSON) profile() Profile {
	return Profile{Name: p.Name, Rate: p.Rate, Requests: p.Requests, Slow: p.Slow, Error: p.Error,
		Delay: report.FromSeconds(p.Delay), Seed: p.Seed}
}

// toJSON is nil when Options.Before was not set.
func (b Before) toJSON() *beforeJSON {
	if b.At.IsZero() && b.Error == "" {
		return nil
	}
	return &beforeJSON{b.At.UTC(), orEmpty(b.Counters), b.Error}
}

func (l Latency) toJSON() latencyJSON {
	return latencyJSON{l.Count, report.Seconds(l.P50), report.Seconds(l.P95), report.Seconds(l.P99), report.Seconds(l.Max)}
}

func (l latencyJSON) latency() Latency {
	return Latency{l.Count, report.FromSeconds(l.P50), report.FromSeconds(l.P95), report.FromSeconds(l.P99), report.FromSeconds(l.Max)}
}

func orEmpty[K comparable, V any](m map[K]V) map[K]V {
	if m == nil {
		return map[K]V{}
	}
	return m
}
