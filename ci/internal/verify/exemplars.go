package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// exemplarSources are the histograms whose exemplars must lead to a trace: the
// services' own and Tempo's.
var exemplarSources = []struct{ name, selector string }{
	{"of the frontend's requests", `http_server_request_duration_seconds_bucket{service_name="frontend"}`},
	{"of the backend's requests", `http_server_request_duration_seconds_bucket{service_name="backend"}`},
	{"of the SQL statements", `db_client_operation_duration_seconds_bucket{service_name="backend"}`},
	{"of the span metrics", `traces_spanmetrics_latency_bucket{service=~"frontend|backend"}`},
}

// maxExemplars is how many traces are followed for each source.
const maxExemplars = 500

// exemplars checks that each exemplar stored since the traffic began leads to a trace.
func (v *verifier) exemplars(ctx context.Context) {
	from := v.since()
	for _, source := range exemplarSources {
		v.check("exemplars", source.name, "≥ 1, each leads to a stored trace", func() (string, error) {
			var found []query.Exemplar
			err := v.poll(ctx, v.timing.generator, func(ctx context.Context) (err error) {
				found, err = v.mimir.Exemplars(ctx, source.selector, from, time.Now())
				if err == nil && len(found) == 0 {
					err = fmt.Errorf("Mimir has no exemplar of %s since verify began", source.selector)
				}
				return err
			})
			if err != nil {
				return "none", err
			}
			return v.resolve(ctx, found)
		})
	}
}

// resolve follows the newest exemplars to their traces, the oldest of them first: the
// newest exemplar may be stored a moment before its trace.
func (v *verifier) resolve(ctx context.Context, found []query.Exemplar) (string, error) {
	traces := map[string]query.Exemplar{}
	for _, e := range found {
		if e.TraceID == "" {
			return fmt.Sprint(len(found)), fmt.Errorf("an exemplar without the label trace_id, of the series %v", e.Series)
		}
		traces[e.TraceID] = e
	}
	measured := fmt.Sprintf("%d exemplars of %d traces", len(found), len(traces))
	if !v.kept.All() {
		maps.DeleteFunc(traces, func(id string, _ query.Exemplar) bool { return !v.kept.Keeps(id) })
		measured += fmt.Sprintf(", %d of which are kept by their ids", len(traces))
		if len(traces) == 0 {
			return measured, skipReason("the lab keeps a share of the traces, and these exemplars are of none that is kept by its id")
		}
	}
	ids := slices.SortedFunc(maps.Keys(traces), func(a, b string) int { return traces[a].Time.Compare(traces[b].Time) })
	if more := len(ids) - maxExemplars; more > 0 {
		ids = ids[more:]
		measured += fmt.Sprintf(", the newest %d of which were followed", maxExemplars)
	}
	// A trace that was found whole leads somewhere.
	ids = slices.DeleteFunc(ids, func(id string) bool {
		n, ofRun := traffic.Number(v.seenPrefix, id)
		return ofRun && n < len(v.seen) && v.seen[n].proven()
	})
	var dead []string
	for _, id := range ids {
		err := v.poll(ctx, v.timing.exemplar, func(ctx context.Context) error {
			_, err := v.tempo.Trace(ctx, id)
			return err
		})
		switch {
		case errors.Is(err, query.ErrNotFound):
			dead = append(dead, id)
		case err != nil:
			return measured, err
		}
		if len(dead) == 3 {
			break // each missing trace takes a time limit, and three are enough to report
		}
	}
	if len(dead) > 0 {
		return measured, fmt.Errorf("exemplars lead to traces that Tempo does not have: %s", strings.Join(dead, ", "))
	}
	return measured, nil
}
