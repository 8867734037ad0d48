package judge

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

const (
	// completeLimit bounds one question about all requests: some milliseconds for each.
	completeLimit = time.Minute
	// atOnce is the number of traces that are asked for at the same time.
	atOnce = 8
)

// Complete judges whether each of the scope's traces has left what it must leave. Its
// metrics are about the services of these traces, so that it asks for them in any case.
func Complete(ctx context.Context, stores query.Stores, e cases.Complete, scope Scope) Verdict {
	ctx, cancel := context.WithTimeout(ctx, completeLimit)
	defer cancel()
	v := Verdict{Rows: len(scope.TraceIDs)}
	if len(scope.TraceIDs) == 0 {
		v.Failures = []Failure{{Rule: "complete", Message: "the input has sent no request"}}
		v.Final = true
		return v
	}
	traces, err := fetchTraces(ctx, stores.Tempo, scope.TraceIDs)
	if err != nil {
		v.failed(ctx, err, "Tempo", func(context.Context) error { return nil })
		return v
	}
	if e.Traces {
		v.joined(e.Services, scope.TraceIDs, traces)
	}
	if e.Logs {
		if err := v.lines(ctx, stores.Loki, e.Lines, scope); err != nil {
			v.failed(ctx, err, "Loki", func(context.Context) error { return nil })
			return v
		}
	}
	if e.Metrics {
		if err := v.counted(ctx, stores.Mimir, e.Counter, scope, traces); err != nil {
			v.failed(ctx, err, "Mimir", func(ctx context.Context) error { return stores.Mimir.Parse(ctx, e.Counter.Text) })
			return v
		}
	}
	return v.finish()
}

// fetchTraces returns the spans of traces by id. A trace that is not there has none.
func fetchTraces(ctx context.Context, tempo query.Tempo, ids []string) (map[string][]query.Span, error) {
	traces := map[string][]query.Span{}
	var mutex sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, id := range ids {
		group.Go(func() error {
			spans, err := tempo.Trace(ctx, id)
			if err != nil && !errors.Is(err, query.ErrNotFound) {
				return err
			}
			mutex.Lock()
			defer mutex.Unlock()
			traces[id] = spans
			return nil
		})
	}
	return traces, group.Wait()
}

// joined asks that each trace is one tree, with a span of each service.
func (v *Verdict) joined(services, ids []string, traces map[string][]query.Span) {
	var wrong []string
	for _, id := range ids {
		switch roots := grow(traces[id]); len(roots) {
		case 0:
			wrong = append(wrong, id+" has no span")
		case 1:
			for _, service := range services {
				if !slices.ContainsFunc(traces[id], func(s query.Span) bool { return s.Service == service }) {
					wrong = append(wrong, fmt.Sprintf("%s has no span of %s", id, service))
				}
			}
		default:
			var names []string
			for _, root := range roots {
				names = append(names, root.Service+": "+root.Name)
			}
			wrong = append(wrong, fmt.Sprintf("%s is in %d parts, for the parents of some spans are missing: %s", id, len(roots), short(strings.Join(names, ", "))))
		}
	}
	v.wrong("complete.traces", wrong, len(ids), "%d of %s are not one joined trace")
}

// wrong adds a failure about some of all requests.
func (v *Verdict) wrong(rule string, wrong []string, all int, format string) {
	if len(wrong) == 0 {
		return
	}
	nearest := slices.Clone(wrong[:min(len(wrong), maxNearest)])
	if more := len(wrong) - len(nearest); more > 0 {
		nearest = append(nearest, fmt.Sprintf("… and %d others", more))
	}
	v.Failures = append(v.Failures, Failure{rule, fmt.Sprintf(format, len(wrong), counted(all, "request")), nearest})
}

// anyLine selects all lines: Alloy sees to it that each has a level.
const anyLine = `{level=~".+"}`

// maxPages bounds the pages of [maxLines] lines that are read.
const maxPages = 20

// lines asks that each request has log lines with its trace id.
func (v *Verdict) lines(ctx context.Context, loki query.Loki, wanted *cases.Comparison, scope Scope) error {
	if wanted == nil {
		wanted = &cases.Comparison{Operator: ">=", Number: 1}
	}
	count := map[string]int{}
	logQL := narrowLogQL(anyLine, scope.RunID) + ` | trace_id!=""`
	from := scope.from()
	seen := map[string]bool{}
	for range maxPages {
		page, err := loki.Lines(ctx, logQL, from, scope.to(), maxLines)
		if err != nil {
			return err
		}
		for _, line := range page {
			// Pages overlap by the lines of one instant.
			key := line.Time.String() + labelText(line.Labels) + line.Text
			if !seen[key] {
				count[strings.ToLower(line.Labels["trace_id"])]++
			}
			seen[key] = true
		}
		if len(page) < maxLines || !page[len(page)-1].Time.After(from) {
			break
		}
		from = page[len(page)-1].Time
	}
	var wrong []string
	for _, id := range scope.TraceIDs {
		if !wanted.Holds(float64(count[id])) {
			wrong = append(wrong, fmt.Sprintf("%s has %s", id, counted(count[id], "line")))
		}
	}
	v.wrong("complete.logs", wrong, len(scope.TraceIDs), fmt.Sprintf("%%d of %%s do not have %s log lines with their trace id", wanted))
	return nil
}
