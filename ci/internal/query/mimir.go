package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Mimir reads metrics through the Prometheus HTTP API.
type Mimir struct {
	// URL is Mimir's base URL, without /prometheus.
	URL  string
	HTTP *http.Client
}

// Sample is one value of an instant vector.
type Sample struct {
	Labels map[string]string
	Value  float64
}

// Instant evaluates the PromQL expression at the time. An empty vector is no
// error; a value that is not a number is one.
func (m Mimir) Instant(ctx context.Context, promQL string, at time.Time) ([]Sample, error) {
	var answer struct {
		Data struct {
			ResultType string `json:"resultType"`
			Result     []struct {
				Metric map[string]string  `json:"metric"`
				Value  [2]json.RawMessage `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	params := url.Values{"query": {promQL}, "time": {seconds(at)}}
	if err := getJSON(ctx, m.HTTP, m.URL, "/prometheus/api/v1/query", params, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", promQL, err)
	}
	if answer.Data.ResultType != "vector" {
		return nil, fmt.Errorf("%s: the answer is a %q, not a vector", promQL, answer.Data.ResultType)
	}
	var samples []Sample
	for _, r := range answer.Data.Result {
		v, err := number(r.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", promQL, err)
		}
		samples = append(samples, Sample{Labels: r.Metric, Value: v})
	}
	return samples, nil
}

// Scalar evaluates an expression that yields one value at most. Without a value it
// returns 0, and found is false.
func (m Mimir) Scalar(ctx context.Context, promQL string, at time.Time) (value float64, found bool, err error) {
	samples, err := m.Instant(ctx, promQL, at)
	if err != nil || len(samples) == 0 {
		return 0, false, err
	}
	if len(samples) > 1 {
		return 0, false, fmt.Errorf("%s: %d series where one was expected", promQL, len(samples))
	}
	return samples[0].Value, true, nil
}

// Exemplar is a sampled observation with the trace that it belongs to.
type Exemplar struct {
	// Series are the labels of the series that it is attached to.
	Series  map[string]string
	TraceID string
	SpanID  string
	Time    time.Time
	// Value is what was observed, in the unit of the metric.
	Value float64
	// Labels are the exemplar's own; TraceID and SpanID are two of them.
	Labels map[string]string
}

// Exemplars returns the exemplars of the selected series between two times.
func (m Mimir) Exemplars(ctx context.Context, selector string, from, to time.Time) ([]Exemplar, error) {
	var answer struct {
		Data []struct {
			SeriesLabels map[string]string `json:"seriesLabels"`
			Exemplars    []struct {
				Labels    map[string]string `json:"labels"`
				Timestamp float64           `json:"timestamp"`
				Value     float64           `json:"value,string"`
			} `json:"exemplars"`
		} `json:"data"`
	}
	params := url.Values{"query": {selector}, "start": {seconds(from)}, "end": {seconds(to)}}
	if err := getJSON(ctx, m.HTTP, m.URL, "/prometheus/api/v1/query_exemplars", params, &answer); err != nil {
		return nil, fmt.Errorf("exemplars of %s: %w", selector, err)
	}
	var all []Exemplar
	for _, s := range answer.Data {
		for _, e := range s.Exemplars {
			all = append(all, Exemplar{
				Series: s.SeriesLabels, TraceID: e.Labels["trace_id"], SpanID: e.Labels["span_id"],
				Time: time.UnixMilli(int64(e.Timestamp * 1000)), Value: e.Value, Labels: e.Labels,
			})
		}
	}
	return all, nil
}
