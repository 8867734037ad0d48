package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

const (
	// maxTraces bounds the traces that a search finds.
	maxTraces = 1000
	// maxFetched bounds the traces whose spans are looked at.
	maxFetched = 200
)

// Traces judges an expectation of traces.
func Traces(ctx context.Context, stores query.Stores, e cases.TracesExpectation, scope Scope) Verdict {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	v := Verdict{Query: narrowTraceQL(e.Query.Text, scope.RunID)}
	found, err := stores.Tempo.Find(ctx, v.Query, scope.from(), scope.to(), maxTraces)
	if err != nil {
		v.failed(ctx, err, "Tempo", func(ctx context.Context) error { return stores.Tempo.Parse(ctx, e.Query.Text) })
		return v
	}
	tracesAnswer(found).apply(e.Rules, len(e.MatchSpans) > 0, &v)
	if len(e.MatchSpans) > 0 {
		failures, err := matchSpans(ctx, stores, e.MatchSpans, found)
		if err != nil {
			v.failed(ctx, err, "Tempo", func(context.Context) error { return nil })
			return v
		}
		v.Failures = append(v.Failures, failures...)
	}
	if scope.Explain && len(v.Failures) > 0 && len(found) == 0 {
		explainTraces(ctx, stores, e.Query.Text, scope, &v)
	}
	return v.finish()
}

// tracesAnswer has a row for each trace: its root's name, and the spans that the query has
// matched. Ids and times are not in the text: they differ from run to run.
func tracesAnswer(found []query.Found) answer {
	a := answer{what: "trace", more: len(found) == maxTraces}
	var text strings.Builder
	for _, f := range found {
		attributes := map[string]string{"service.name": f.Service, "trace_id": f.TraceID}
		fmt.Fprintf(&text, "%s: %s\n", f.Service, f.Name)
		for _, s := range f.Spans {
			for key, value := range s.Attributes {
				if key != runid.Attribute {
					attributes[key] = value
				}
			}
			line := "  " + s.Name
			if labels := labelText(s.Attributes); labels != "{}" {
				line += " " + labels
			}
			text.WriteString(line + "\n")
		}
		a.rows = append(a.rows, row{f.Name, attributes, f.Service + ": "})
	}
	a.text = text.String()
	return a
}

// matchSpans looks at all spans of the traces found, until each match is true of one.
func matchSpans(ctx context.Context, stores query.Stores, matches []cases.Match, found []query.Found) ([]Failure, error) {
	left := slices.Clone(matches)
	var rows []row
	for i, f := range found {
		if i == maxFetched {
			break
		}
		spans, err := stores.Tempo.Trace(ctx, f.TraceID)
		if errors.Is(err, query.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		var fresh []row
		for _, s := range spans {
			fresh = append(fresh, spanRow(s))
		}
		left = slices.DeleteFunc(left, func(m cases.Match) bool {
			return slices.ContainsFunc(fresh, func(r row) bool { return holds(m, r) })
		})
		if len(left) == 0 {
			return nil, nil
		}
		rows = append(rows, fresh...)
	}
	if len(found) == 0 {
		var failures []Failure
		for _, m := range left {
			failures = append(failures, Failure{Rule: "match_spans", Message: "the query finds no trace, and so no span has " + describe(m)})
		}
		return failures, nil
	}
	failures := matchFailures("match_spans", left, rows, "span")
	if len(found) > maxFetched {
		for i := range failures {
			failures[i].Message += fmt.Sprintf("; of %d traces, the latest %d were looked at", len(found), maxFetched)
		}
	}
	return failures, nil
}

// explainTraces says which traces there are instead.
func explainTraces(ctx context.Context, stores query.Stores, original string, scope Scope, v *Verdict) {
	lines := []string{}
	found, err := stores.Tempo.Find(ctx, narrowTraceQL("{}", scope.RunID), scope.from(), scope.to(), maxTraces)
	switch {
	case err != nil:
		return
	case len(found) == 0:
		lines = append(lines, "the run has sent no span at all")
		lines = append(lines, others(scope, func() (int, error) {
			all, err := stores.Tempo.Find(ctx, original, scope.Since, scope.to(), 20)
			return len(all), err
		}, "trace")...)
	default:
		lines = append(lines, "the run has sent these traces:")
		lines = append(lines, tally(found)...)
	}
	v.attach(lines)
}

// tally are the roots of traces with their numbers.
func tally(found []query.Found) []string {
	count := map[string]int{}
	var order []string
	for _, f := range found {
		root := f.Service + ": " + f.Name
		if count[root] == 0 {
			order = append(order, root)
		}
		count[root]++
	}
	var lines []string
	for _, root := range order[:min(len(order), maxNearest)] {
		lines = append(lines, fmt.Sprintf("%s (%d)", short(root), count[root]))
	}
	if more := len(order) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d others", more))
	}
	return lines
}

// others says that other runs have what this one lacks: most often because the application
// does not pass its resource attributes on.
func others(scope Scope, count func() (int, error), what string) []string {
	if scope.RunID == "" {
		return nil
	}
	if n, err := count(); err == nil && n > 0 {
		return []string{fmt.Sprintf("since the run began, %s without %s=%s came that the query finds: the application may not read OTEL_RESOURCE_ATTRIBUTES",
			counted(n, what), runid.Attribute, scope.RunID)}
	}
	return nil
}

// attach adds lines to the first failure that has none.
func (v *Verdict) attach(lines []string) {
	for i := range v.Failures {
		if len(v.Failures[i].Nearest) == 0 {
			v.Failures[i].Nearest = lines
			return
		}
	}
}
