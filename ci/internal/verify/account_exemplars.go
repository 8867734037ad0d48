package verify

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// accountExemplars looks up the traces of the services' exemplars of this run's requests.
func (v *verifier) accountExemplars(ctx context.Context, a *Account, run traffic.Report, _ []traffic.Answer, _ time.Time) error {
	traces := map[string]bool{}
	for _, source := range exemplarSources[:2] {
		found, err := v.mimir.Exemplars(ctx, source.selector, run.Started, time.Now())
		if err != nil {
			return err
		}
		for _, e := range found {
			if len(e.TraceID) == 32 && e.TraceID[:16] == run.TracePrefix {
				a.Exemplars++
				traces[e.TraceID] = true
			}
		}
	}
	return v.deadTraces(ctx, a, slices.Sorted(maps.Keys(traces)))
}

// deadTraces looks up the traces that have not been found yet, and notes those that are not
// stored.
func (v *verifier) deadTraces(ctx context.Context, a *Account, ids []string) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(lookups)
	dead := make([]bool, len(ids))
	for i, id := range ids {
		if v.stored[id] {
			continue
		}
		group.Go(func() error {
			_, err := v.tempo.Trace(ctx, id)
			if dead[i] = errors.Is(err, query.ErrNotFound); dead[i] {
				return nil
			}
			return err
		})
	}
	err := group.Wait()
	for i, id := range ids {
		if dead[i] {
			a.Dead = append(a.Dead, id)
		}
	}
	return err
}
