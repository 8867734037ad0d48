package query

import (
	"context"
	"errors"
	"fmt"
	"net/url"
)

// Parse lets Loki parse a LogQL query, without running it. The error has Loki's own
// words.
func (l Loki) Parse(ctx context.Context, logQL string) error {
	var ignored struct{}
	return getJSON(ctx, l.HTTP, l.URL, "/loki/api/v1/format_query", url.Values{"query": {logQL}}, &ignored)
}

// Parse lets Mimir parse a PromQL expression, without evaluating it. The error has
// Mimir's own words.
func (m Mimir) Parse(ctx context.Context, promQL string) error {
	var ignored struct{}
	return getJSON(ctx, m.HTTP, m.URL, "/prometheus/api/v1/format_query", url.Values{"query": {promQL}}, &ignored)
}

// Parse lets Tempo parse a TraceQL query, of spans or of metrics. Tempo only parses
// what it also runs, so the query is asked for a second of 1970, in which Tempo has
// no block to read. The error has Tempo's own words.
func (t Tempo) Parse(ctx context.Context, traceQL string) error {
	if traceQL == "" { // Tempo takes an empty query for no query, and searches
		return errors.New("an empty TraceQL query")
	}
	var answer struct {
		Traces []struct{} `json:"traces"`
	}
	params := url.Values{"q": {traceQL}, "start": {"1"}, "end": {"2"}, "limit": {"1"}}
	if err := getJSON(ctx, t.HTTP, t.URL, "/api/search", params, &answer); err != nil {
		return err
	}
	if len(answer.Traces) > 0 {
		return fmt.Errorf("Tempo found a trace of 1970 for %s", traceQL)
	}
	return nil
}
