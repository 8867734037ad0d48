package query

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

// Loki reads logs.
type Loki struct {
	// URL is Loki's base URL.
	URL  string
	HTTP *http.Client
}

// Line is one stored log line.
type Line struct {
	Time time.Time
	Text string
	// Labels are the stream's labels and the line's structured metadata.
	Labels map[string]string
}

type lokiAnswer struct {
	Data struct {
		ResultType string `json:"resultType"`
		Result     []struct {
			Stream map[string]string  `json:"stream"`
			Metric map[string]string  `json:"metric"`
			Values [][]string         `json:"values"`
			Value  [2]json.RawMessage `json:"value"`
		} `json:"result"`
	} `json:"data"`
}

// Lines returns up to limit lines that the LogQL query selects between two
// times, the oldest first.
func (l Loki) Lines(ctx context.Context, logQL string, from, to time.Time, limit int) ([]Line, error) {
	return l.lines(ctx, logQL, from, to, limit, "forward")
}

// Latest returns the last lines, up to limit, that the LogQL query selects between
// two times, the latest first.
func (l Loki) Latest(ctx context.Context, logQL string, from, to time.Time, limit int) ([]Line, error) {
	lines, err := l.lines(ctx, logQL, from, to, limit, "backward")
	slices.Reverse(lines)
	return lines, err
}

// lines returns the lines in the order of time; when there are more than limit, the
// direction says which.
func (l Loki) lines(ctx context.Context, logQL string, from, to time.Time, limit int, direction string) ([]Line, error) {
	var answer lokiAnswer
	params := url.Values{
		"query": {logQL}, "limit": {strconv.Itoa(limit)}, "direction": {direction},
		"start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
	}
	if err := getJSON(ctx, l.HTTP, l.URL, "/loki/api/v1/query_range", params, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", logQL, err)
	}
	if answer.Data.ResultType != "streams" {
		return nil, fmt.Errorf("%s: the answer is a %q, not streams", logQL, answer.Data.ResultType)
	}
	var lines []Line
	for _, stream := range answer.Data.Result {
		for _, v := range stream.Values {
			if len(v) < 2 {
				return nil, fmt.Errorf("%s: a line without a time", logQL)
			}
			ns, err := strconv.ParseInt(v[0], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: a line with the time %.50q, which is not nanoseconds", logQL, v[0])
			}
			lines = append(lines, Line{Time: time.Unix(0, ns), Text: v[1], Labels: stream.Stream})
		}
	}
	// Each stream is in order, but they follow one another.
	slices.SortStableFunc(lines, func(a, b Line) int { return a.Time.Compare(b.Time) })
	return lines, nil
}

// Count evaluates a LogQL metric query at a time and returns its values by the
// value of the label that it is grouped by.
func (l Loki) Count(ctx context.Context, logQL, by string, at time.Time) (map[string]float64, error) {
	var answer lokiAnswer
	params := url.Values{"query": {logQL}, "time": {strconv.FormatInt(at.UnixNano(), 10)}}
	if err := getJSON(ctx, l.HTTP, l.URL, "/loki/api/v1/query", params, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", logQL, err)
	}
	if answer.Data.ResultType != "vector" {
		return nil, fmt.Errorf("%s: the answer is a %q, not a vector", logQL, answer.Data.ResultType)
	}
	counts := map[string]float64{}
	for _, r := range answer.Data.Result {
		v, err := number(r.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", logQL, err)
		}
		counts[r.Metric[by]] += v
	}
	return counts, nil
}
