package query

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// spanIDDigits is the length of a span id in hexadecimal.
const spanIDDigits = 16

// Spans returns the spans that a TraceQL filter selects between two times, by the id of
// their trace: `{ … }` without a pipeline. Traces of which a part is in that time count.
// A span has its ids, its service, name, kind and times, whether it failed, and the
// attributes that are named, such as span.db.system.name. It has no others, and no events.
//
// One question for many traces takes Tempo a small part of the time of one for each. Tempo
// may have a trace in several pieces, and merges the pieces' groups of spans by keeping the
// larger one. So each span is asked for as a group of its own.
//
// Tempo leaves out what is over limit traces, and does not say so. Then truncated is true.
func (t Tempo) Spans(ctx context.Context, filter string, attributes []string, from, to time.Time, limit int) (traces map[string][]Span, truncated bool, err error) {
	wanted := append([]string{"span:parentID", "kind", "status", "resource.service.name"}, attributes...)
	traceQL := fmt.Sprintf("%s | by(span:id) | select(%s)", filter, strings.Join(wanted, ", "))
	params := searchParams(traceQL, from, to, limit)
	params.Set("spss", "100") // spans of one group: those with the same id
	var answer searchAnswer
	if err := getJSON(ctx, t.HTTP, t.URL, "/api/search", params, &answer); err != nil {
		return nil, false, fmt.Errorf("%s: %w", traceQL, err)
	}
	traces = make(map[string][]Span, len(answer.Traces))
	for _, tr := range answer.Traces {
		id := fullTraceID(tr.TraceID)
		for _, set := range tr.SpanSets {
			for _, s := range set.Spans {
				traces[id] = append(traces[id], foundSpan(s))
			}
			truncated = truncated || set.Matched > len(set.Spans)
		}
	}
	return traces, truncated || len(answer.Traces) >= limit, nil
}

// foundSpan makes a span of what a search has selected.
func foundSpan(s searchSpan) Span {
	selected := s.Attributes.labels()
	take := func(key string) string {
		value := selected[key]
		delete(selected, key)
		return value
	}
	span := Span{
		ID: padded(s.ID, spanIDDigits), Name: s.Name,
		Start: time.Unix(0, s.Start), End: time.Unix(0, s.Start+s.Duration),
		Service: take("service.name"), Failed: take("status") == "error",
	}
	if parent := strings.TrimLeft(take("span:parentID"), "0"); parent != "" {
		span.ParentID = padded(parent, spanIDDigits)
	}
	if kind := take("kind"); kind != "unspecified" {
		span.Kind = Kind(kind)
	}
	span.Attributes = selected
	return span
}

// padded puts back the leading zeros that Tempo leaves out.
func padded(id string, digits int) string {
	return strings.Repeat("0", max(0, digits-len(id))) + id
}
