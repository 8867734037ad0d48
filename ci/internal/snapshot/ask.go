package snapshot

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// An Answer is what one query of a panel was answered.
type Answer struct {
	dashboards.Query
	// Asked is the expression with its variables filled in.
	Asked string
	// grid are the times that it was evaluated at; the zero grid for one time.
	grid grid

	// What was found: one of these, as [dashboards.Query.Finds] says.
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
	// mostLines and mostTraces bound what a panel lists, where it does not itself.
	mostLines, mostTraces = 50, 30
	// mostExemplars bounds the marks on a plot.
	mostExemplars = 40
)

// ask runs one query as Grafana would for the panel.
func (t *taker) ask(ctx context.Context, d Dashboard, p dashboards.Panel, q dashboards.Query) Answer {
	most := mostPoints
	if p.Type == "heatmap" {
		most = mostColumns
	}
	g := d.Span.grid(q.Step(d.Span.Length(), most))
	a := Answer{Query: q, Asked: q.Fill(d.Values, g.step, d.Span.Length())}
	switch q.Datasource {
	case dashboards.Prometheus:
		t.askMimir(ctx, &a, d.Span, g)
	case dashboards.Loki:
		t.askLoki(ctx, &a, d.Span, g)
	case dashboards.Tempo:
		t.askTempo(ctx, &a, d.Span, g)
	default:
		a.Err = fmt.Errorf("query %s is for a data source of the type %q, which the lab does not have", q.RefID, q.Datasource)
	}
	return a
}

func (t *taker) askMimir(ctx context.Context, a *Answer, s Span, g grid) {
	if a.Instant {
		a.Series, a.Err = t.mimir.At(ctx, a.Asked, s.To)
		return
	}
	a.grid = g
	if a.Series, a.Err = t.mimir.Range(ctx, a.Asked, g.from, g.to, g.step); a.Err != nil || !a.Exemplar {
		return
	}
	// No exemplar is no failure: not every backend keeps them, and a plot is whole
	// without.
	a.Exemplars, _ = t.mimir.Exemplars(ctx, a.Asked, s.From, s.To)
}

func (t *taker) askLoki(ctx context.Context, a *Answer, s Span, g grid) {
	switch {
	case a.Finds() == dashboards.Lines:
		a.Lines, a.Err = t.loki.Latest(ctx, a.Asked, s.From, s.To, within(a.Limit, mostLines))
	case a.Instant:
		a.Series, a.Err = t.loki.At(ctx, a.Asked, s.To)
	default:
		a.grid = g
		a.Series, a.Err = t.loki.Range(ctx, a.Asked, g.from, g.to, g.step)
	}
}

func (t *taker) askTempo(ctx context.Context, a *Answer, s Span, g grid) {
	switch a.Finds() {
	case dashboards.Edges:
		a.Calls, a.Err = t.calls(ctx, a.Asked, s)
	case dashboards.Traces:
		a.Traces, a.Err = t.tempo.Find(ctx, a.Asked, s.From, s.To, within(a.Limit, mostTraces))
	default:
		a.grid = g
		a.Series, a.Err = t.tempo.Range(ctx, a.Asked, g.from, g.to, g.step)
	}
}

// within is the panel's own limit, when it has one that is not above ours.
func within(own, most int) int {
	if own > 0 && own < most {
		return own
	}
	return most
}
