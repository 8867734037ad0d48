package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"
)

// Found is a trace that a search has found.
type Found struct {
	// TraceID has 32 digits.
	TraceID string
	// Service and Name are the root span's; Tempo has words of its own for a root
	// that it has not seen.
	Service, Name string
	Start         time.Time
	// Duration is in whole milliseconds.
	Duration time.Duration
	// Spans are those that the query matches, up to 3 of each trace.
	Spans []FoundSpan
	// Matched is the number of spans that the query matches in the trace.
	Matched int
}

// FoundSpan is a span that a search has matched.
type FoundSpan struct {
	ID         string
	Name       string
	Start      time.Time
	Duration   time.Duration
	Attributes map[string]string
}

// tempoText is a value in Tempo's JSON, which is OTLP's: {"stringValue": …} or one
// of another type. Numbers of 64 bits are strings there.
type tempoText map[string]any

func (v tempoText) String() string {
	for _, value := range v {
		if number, ok := value.(float64); ok {
			return strconv.FormatFloat(number, 'g', -1, 64)
		}
		return fmt.Sprint(value)
	}
	return ""
}

type tempoAttributes []struct {
	Key   string    `json:"key"`
	Value tempoText `json:"value"`
}

func (attributes tempoAttributes) labels() map[string]string {
	labels := map[string]string{}
	for _, a := range attributes {
		labels[a.Key] = a.Value.String()
	}
	return labels
}

// searchAnswer is Tempo's answer to a search.
type searchAnswer struct {
	Traces []struct {
		TraceID  string `json:"traceID"`
		Service  string `json:"rootServiceName"`
		Name     string `json:"rootTraceName"`
		Start    int64  `json:"startTimeUnixNano,string"`
		Duration int64  `json:"durationMs"`
		SpanSets []struct {
			Matched int          `json:"matched"`
			Spans   []searchSpan `json:"spans"`
		} `json:"spanSets"`
	} `json:"traces"`
}

// searchSpan is a span in the answer to a search.
type searchSpan struct {
	ID         string          `json:"spanID"`
	Name       string          `json:"name"`
	Start      int64           `json:"startTimeUnixNano,string"`
	Duration   int64           `json:"durationNanos,string"`
	Attributes tempoAttributes `json:"attributes"`
}

// Find returns up to limit traces that the TraceQL query selects between two times,
// in Tempo's order, the latest first. No trace is no error.
func (t Tempo) Find(ctx context.Context, traceQL string, from, to time.Time, limit int) ([]Found, error) {
	var answer searchAnswer
	if err := getJSON(ctx, t.HTTP, t.URL, "/api/search", searchParams(traceQL, from, to, limit), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", traceQL, err)
	}
	var all []Found
	for _, tr := range answer.Traces {
		f := Found{
			TraceID: fullTraceID(tr.TraceID), Service: tr.Service, Name: tr.Name,
			Start: time.Unix(0, tr.Start), Duration: time.Duration(tr.Duration) * time.Millisecond,
		}
		for _, set := range tr.SpanSets {
			f.Matched += set.Matched
			for _, s := range set.Spans {
				f.Spans = append(f.Spans, FoundSpan{s.ID, s.Name, time.Unix(0, s.Start), time.Duration(s.Duration), s.Attributes.labels()})
			}
		}
		all = append(all, f)
	}
	return all, nil
}

func searchParams(traceQL string, from, to time.Time, limit int) url.Values {
	return url.Values{
		"q": {traceQL}, "limit": {strconv.Itoa(limit)},
		"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix()+1, 10)},
	}
}

// fullTraceID puts back the leading zeros that Tempo leaves out.
func fullTraceID(id string) string {
	return padded(id, traceIDDigits)
}

// Range evaluates a TraceQL metrics query, such as `{} | rate()`, at every step
// between two times. Tempo takes whole seconds.
func (t Tempo) Range(ctx context.Context, traceQL string, from, to time.Time, step time.Duration) ([]Series, error) {
	var answer struct {
		Series []struct {
			Labels  tempoAttributes `json:"labels"`
			Samples []struct {
				Time int64 `json:"timestampMs,string"`
				// Value is absent when it is 0.
				Value json.Number `json:"value"`
			} `json:"samples"`
		} `json:"series"`
	}
	params := url.Values{
		"q": {traceQL}, "step": {stepOf(step) + "s"},
		"start": {strconv.FormatInt(from.Unix(), 10)}, "end": {strconv.FormatInt(to.Unix()+1, 10)},
	}
	if err := getJSON(ctx, t.HTTP, t.URL, "/api/metrics/query_range", params, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", traceQL, err)
	}
	var all []Series
	for _, s := range answer.Series {
		series := Series{Labels: s.Labels.labels()}
		for _, sample := range s.Samples {
			v := 0.0
			if sample.Value != "" {
				var err error
				if v, err = sample.Value.Float64(); err != nil {
					return nil, fmt.Errorf("%s: a sample with the value %.50q: %w", traceQL, sample.Value, err)
				}
			}
			series.Points = append(series.Points, Point{time.UnixMilli(sample.Time), v})
		}
		all = append(all, series)
	}
	return all, nil
}
