package verify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// accountTraces finds the trace of every request: by searches those that are whole, and the
// others by look-ups, and again those that lack something.
func (v *verifier) accountTraces(ctx context.Context, a *Account, run traffic.Report, answers []traffic.Answer, until time.Time) error {
	left := v.unproven(ctx, run, answers)
	for {
		round := &traceRound{lost: map[string][]int{}, torn: map[int]string{}, stored: v.stored}
		group, groupCtx := errgroup.WithContext(ctx)
		group.SetLimit(lookups)
		for _, answer := range left {
			group.Go(func() error {
				spans, err := v.tempo.Trace(groupCtx, answer.TraceID)
				if err != nil && !errors.Is(err, query.ErrNotFound) {
					return err
				}
				round.judge(answer, spans)
				return nil
			})
		}
		err := group.Wait()
		if err == nil {
			a.Doubled = append(a.Doubled, round.doubled...)
		}
		if err == nil && len(round.again) == 0 || !time.Now().Before(until) || ctx.Err() != nil {
			for service, lost := range round.lost {
				a.Services[service].NoSpan = sorted(lost)
			}
			a.Torn, a.Doubled = round.torn, slices.Compact(sorted(a.Doubled))
			return err
		}
		if err == nil {
			left = round.again
		}
		if err := wait.For(ctx, v.timing.again); err != nil {
			return err
		}
	}
}

// unproven returns the answers whose traces the searches do not show to be whole.
func (v *verifier) unproven(ctx context.Context, run traffic.Report, answers []traffic.Answer) (left []traffic.Answer) {
	for _, answer := range answers {
		run.Requests = max(run.Requests, answer.N)
	}
	seen := v.searchRun(ctx, run)
	for _, answer := range answers {
		// Of a request that the backend has not answered, a whole trace may have its span or not.
		if seen[answer.N].proven() && answer.FromBackend() {
			v.stored[answer.TraceID] = true
			continue
		}
		left = append(left, answer)
	}
	return left
}

// traceRound is one round of looking up traces.
type traceRound struct {
	mu      sync.Mutex
	again   []traffic.Answer // those that lack something
	lost    map[string][]int
	torn    map[int]string
	doubled []int
	stored  map[string]bool
}

func (r *traceRound) judge(answer traffic.Answer, spans []query.Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.stored[answer.TraceID] = r.stored[answer.TraceID] || len(spans) > 0
	lacking, double := false, false
	for _, service := range accounted {
		n := len(serverSpans(spans, service))
		double = double || n > 1
		if n == 0 && must(service, answer) {
			r.lost[service] = append(r.lost[service], answer.N)
			lacking = true
		}
	}
	if double = double || twice(spans); double {
		r.doubled = append(r.doubled, answer.N)
	}
	// A service that has answered has sent all its spans with the server span or before.
	if !lacking && !double && answer.FromBackend() {
		if err := whole(spans); err != nil {
			r.torn[answer.N] = err.Error()
			lacking = true
		}
	}
	if lacking {
		r.again = append(r.again, answer)
	}
}

// twice tells whether a span is there twice.
func twice(spans []query.Span) bool {
	seen := map[string]bool{}
	for _, s := range spans {
		if seen[s.ID] {
			return true
		}
		seen[s.ID] = true
	}
	return false
}
