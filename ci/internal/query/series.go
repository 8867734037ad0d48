package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Series is a metric's values over time, the earliest first.
type Series struct {
	Labels map[string]string
	Points []Point
}

// Point is a value at a time. Unlike a [Sample]'s it may be NaN or infinite, such as the
// ratio of 0 to 0, which a panel shows as such.
type Point struct {
	Time  time.Time
	Value float64
}

// UnmarshalJSON reads [seconds, "value"], as Prometheus' API and Loki's write it.
func (p *Point) UnmarshalJSON(data []byte) error {
	var pair [2]json.RawMessage
	if err := json.Unmarshal(data, &pair); err != nil {
		return err
	}
	var at float64
	var text string
	if err := errors.Join(json.Unmarshal(pair[0], &at), json.Unmarshal(pair[1], &text)); err != nil {
		return fmt.Errorf("a value without its time: %w", err)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("the value %.50q, which is not a number", text)
	}
	*p = Point{time.UnixMilli(int64(math.Round(at * 1000))), v}
	return nil
}

// metricsAnswer is what a query of metrics yields, Prometheus' and Loki's alike.
type metricsAnswer struct {
	Data struct {
		ResultType string          `json:"resultType"`
		Result     json.RawMessage `json:"result"`
	} `json:"data"`
}

// series reads a matrix, a vector or a scalar. The last two have one point each.
func (a metricsAnswer) series() ([]Series, error) {
	switch a.Data.ResultType {
	case "scalar":
		var p Point
		if err := json.Unmarshal(a.Data.Result, &p); err != nil {
			return nil, err
		}
		return []Series{{Points: []Point{p}}}, nil
	case "matrix", "vector":
	default:
		return nil, fmt.Errorf("the answer is a %q, not metrics", a.Data.ResultType)
	}
	var rows []struct {
		Metric     map[string]string `json:"metric"`
		Values     []Point           `json:"values"`
		Value      *Point            `json:"value"`
		Histogram  json.RawMessage   `json:"histogram"`
		Histograms json.RawMessage   `json:"histograms"`
	}
	if err := json.Unmarshal(a.Data.Result, &rows); err != nil {
		return nil, err
	}
	var all []Series
	for _, r := range rows {
		if r.Histogram != nil || r.Histograms != nil {
			return nil, errors.New("the answer has native histograms; ask for a quantile of them")
		}
		if r.Value != nil {
			r.Values = []Point{*r.Value}
		}
		all = append(all, Series{Labels: r.Metric, Points: r.Values})
	}
	return all, nil
}

// metrics asks for metrics.
func metrics(ctx context.Context, client *http.Client, base, path string, params url.Values) ([]Series, error) {
	var answer metricsAnswer
	if err := getJSON(ctx, client, base, path, params, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", params.Get("query"), err)
	}
	all, err := answer.series()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", params.Get("query"), err)
	}
	return all, nil
}

// Range evaluates the PromQL expression at every step between two times. No series
// is no error. A step is at least a millisecond; Mimir refuses more than 11,000.
func (m Mimir) Range(ctx context.Context, promQL string, from, to time.Time, step time.Duration) ([]Series, error) {
	return metrics(ctx, m.HTTP, m.URL, "/prometheus/api/v1/query_range", url.Values{
		"query": {promQL}, "start": {seconds(from)}, "end": {seconds(to)}, "step": {stepOf(step)},
	})
}

// At evaluates the PromQL expression at a time: an instant vector or a scalar, as
// series of one point each. Unlike [Mimir.Instant] it lets NaN pass.
func (m Mimir) At(ctx context.Context, promQL string, at time.Time) ([]Series, error) {
	return metrics(ctx, m.HTTP, m.URL, "/prometheus/api/v1/query", url.Values{"query": {promQL}, "time": {seconds(at)}})
}

// Range evaluates the LogQL metric query at every step between two times. No
// series is no error.
func (l Loki) Range(ctx context.Context, logQL string, from, to time.Time, step time.Duration) ([]Series, error) {
	return metrics(ctx, l.HTTP, l.URL, "/loki/api/v1/query_range", url.Values{
		"query": {logQL}, "step": {stepOf(step)},
		"start": {strconv.FormatInt(from.UnixNano(), 10)}, "end": {strconv.FormatInt(to.UnixNano(), 10)},
	})
}

// At evaluates the LogQL metric query at a time, as series of one point each.
func (l Loki) At(ctx context.Context, logQL string, at time.Time) ([]Series, error) {
	return metrics(ctx, l.HTTP, l.URL, "/loki/api/v1/query", url.Values{
		"query": {logQL}, "time": {strconv.FormatInt(at.UnixNano(), 10)},
	})
}

// stepOf writes a step in seconds, with a fraction where it has one.
func stepOf(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) }
