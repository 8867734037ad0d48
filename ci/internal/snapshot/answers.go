package snapshot

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// An Answer is the answer to one query of a panel.
type Answer struct {
	dashboards.Query
	// Asked is the expression with its variables filled in.
	Asked string
	// grid has the times at which the query was evaluated; it is zero for an instant
	// query.
	grid grid

	// The answer is in one of these fields; [dashboards.Query.Finds] says in which.
	Series    []query.Series
	Lines     []query.Line
	Traces    []query.Found
	Calls     []call
	Exemplars []query.Exemplar

	// Err says why there is no answer.
	Err  error
	Took time.Duration
}

// Count is the number of series, lines, traces or calls that were found.
func (a Answer) Count() int { return len(a.Series) + len(a.Lines) + len(a.Traces) + len(a.Calls) }

const (
	// maxLines and maxTraces limit the rows of a panel that has no limit of its own.
	maxLines, maxTraces = 50, 30
	// maxExemplars limits the marks on a plot.
	maxExemplars = 40
)

// ask runs one query as Grafana would for the panel.
func (t *taker) ask(ctx context.Context, d Dashboard, p dashboards.Panel, q dashboards.Query) Answer {
	most := maxPoints
	if p.Type == "heatmap" {
		most = maxColumns
	}
	g := d.TimeRange.grid(q.Step(d.TimeRange.Length(), most))
	a := Answer{Query: q, Asked: q.Fill(d.Values, g.step, d.TimeRange.Length())}
	switch q.Datasource {
	case dashboards.Prometheus:
		t.askMimir(ctx, &a, d.TimeRange, g)
	case dashboards.Loki:
		t.askLoki(ctx, &a, d.TimeRange, g)
	case dashboards.Tempo:
		t.askTempo(ctx, &a, d.TimeRange, g)
	default:
		a.Err = fmt.Errorf("query %s is for a data source of the type %q, which the lab does not have", q.RefID, q.Datasource)
	}
	return a
}

func (t *taker) askMimir(ctx context.Context, a *Answer, s TimeRange, g grid) {
	if a.Instant {
		a.Series, a.Err = t.mimir.At(ctx, a.Asked, s.To)
		return
	}
	a.grid = g
	if a.Series, a.Err = t.mimir.Range(ctx, a.Asked, g.from, g.to, g.step); a.Err != nil || !a.Exemplar {
		return
	}
	// An error here is not a failure: not every backend keeps exemplars, and the plot is
	// complete without them.
	a.Exemplars, _ = t.mimir.Exemplars(ctx, a.Asked, s.From, s.To)
}

func (t *taker) askLoki(ctx context.Context, a *Answer, s TimeRange, g grid) {
	switch {
	case a.Finds() == dashboards.Lines:
		a.Lines, a.Err = t.loki.Latest(ctx, a.Asked, s.From, s.To, within(a.Limit, maxLines))
	case a.Instant:
		a.Series, a.Err = t.loki.At(ctx, a.Asked, s.To)
	default:
		a.grid = g
		a.Series, a.Err = t.loki.Range(ctx, a.Asked, g.from, g.to, g.step)
	}
}

func (t *taker) askTempo(ctx context.Context, a *Answer, s TimeRange, g grid) {
	switch a.Finds() {
	case dashboards.Edges:
		a.Calls, a.Err = t.calls(ctx, a.Asked, s)
	case dashboards.Traces:
		a.Traces, a.Err = t.tempo.Find(ctx, a.Asked, s.From, s.To, within(a.Limit, maxTraces))
	default:
		a.grid = g
		a.Series, a.Err = t.tempo.Range(ctx, a.Asked, g.from, g.to, g.step)
	}
}

// within returns the panel's own limit, or ours if that is lower or the only one.
func within(own, most int) int {
	if own > 0 && own < most {
		return own
	}
	return most
}
