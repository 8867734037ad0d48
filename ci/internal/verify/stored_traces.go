package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// tally counts the stored traces of a run, and names the missing and flawed ones.
type tally struct {
	mu                        sync.Mutex
	stored, frontend, backend int
	missing                   examples
	// needless are the traces that the lab should not have kept.
	needless examples
	flawed   []string
}

// allTraces finds every trace of the run that the lab keeps. Each must be whole. As many
// of them must have a span of the backend as requests that the backend answered.
func (v *verifier) allTraces(ctx context.Context, t traffic.Report) {
	expected := fmt.Sprintf("%d, with %d spans of the frontend and %d of the backend", t.Requests, t.Requests, t.BackendRequests)
	if !v.kept.All() {
		expected = v.keptByID(t)
	}
	v.check("completeness", "traces stored", expected, func() (string, error) {
		var all tally
		err := v.fetchAll(ctx, t, &all)
		measured := fmt.Sprintf("%d, with %d and %d spans", all.stored, all.frontend, all.backend)
		if err != nil {
			return measured, err
		}
		slices.Sort(all.missing)
		slices.Sort(all.flawed)
		slices.Sort(all.needless)
		errs := []error{all.missing.failure("traces are not stored"), all.needless.failure("traces are stored, though their ids, their spans and their times are none that are kept")}
		if n := len(all.flawed); n > 0 {
			errs = append(errs, fmt.Errorf("%d traces are not whole, for example\n%s", n, strings.Join(all.flawed[:min(n, 3)], "\n")))
		}
		if v.kept.All() && all.backend != t.BackendRequests {
			errs = append(errs, fmt.Errorf("the backend has answered %d requests, and %d spans of it are stored", t.BackendRequests, all.backend))
		}
		return measured, errors.Join(errs...)
	})
}

// How many traces are looked up at a time, and how long one may take on average.
// With thousands of traces stored, Tempo on two cores was measured to answer 94
// lookups a second one at a time, 68 two at a time and 27 eight at a time.
const (
	lookups  = 2
	perTrace = 20 * time.Millisecond
)

// fetchAll finds all traces of the run by searches, and looks up by their ids those
// that the searches do not show to be whole.
func (v *verifier) fetchAll(ctx context.Context, t traffic.Report, all *tally) error {
	// A trace that is not there by then is lost. If all are lost, finding that out
	// takes a while too, so the limit is longer.
	deadline := time.Now().Add(v.timing.traces)
	limit := 2*v.timing.traces + time.Duration(t.Requests)*perTrace
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("looking up all traces took longer than %v", limit))
	defer cancel()
	open, err := v.searchAll(ctx, t, deadline, all)
	if err != nil {
		return err
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	for _, n := range open {
		group.Go(func() error { return v.fetch(groupCtx, traffic.TraceID(t.TracePrefix, n), deadline, all) })
	}
	err = group.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// fetch looks up a trace until it is whole or the deadline has come: the services
// export on their own schedules.
func (v *verifier) fetch(ctx context.Context, id string, deadline time.Time, all *tally) error {
	for {
		spans, err := v.tempo.Trace(ctx, id)
		if err != nil && !errors.Is(err, query.ErrNotFound) {
			return err
		}
		var wrong error
		if err == nil {
			wrong = whole(spans)
		}
		if time.Now().After(deadline) || wrong == nil && complete(spans) {
			all.add(id, spans, wrong)
			return nil
		}
		if err := wait.For(ctx, v.timing.every); err != nil {
			return err
		}
	}
}

// complete tells whether nothing of a whole trace is on its way any more, as far as its
// spans say.
func complete(spans []query.Span) bool {
	return len(serverSpans(spans, "backend")) > 0 || len(spans) > 0 && !calledBackend(spans)
}

func (a *tally) add(id string, spans []query.Span, wrong error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(spans) == 0 {
		a.missing.add(id)
		return
	}
	a.stored++
	a.frontend += len(serverSpans(spans, "frontend"))
	a.backend += len(serverSpans(spans, "backend"))
	if wrong != nil {
		a.flawed = append(a.flawed, id+": "+wrong.Error())
	}
}

// whole fails unless the spans are the trace of one request: one server span of the
// frontend and, when the backend has one too, the spans between the two and a statement.
func whole(spans []query.Span) error {
	frontend := serverSpans(spans, "frontend")
	if len(frontend) == 1 && len(serverSpans(spans, "backend")) == 0 {
		return nil
	}
	root := ""
	if len(frontend) > 0 {
		root = frontend[0].ParentID // it exists in the request alone
	}
	_, err := follow(spans, root)
	return err
}

// calledBackend tells whether the trace has a call to the backend in it.
func calledBackend(spans []query.Span) bool {
	return slices.ContainsFunc(spans, func(s query.Span) bool { return s.Service == "frontend" && s.Kind == query.Client })
}
