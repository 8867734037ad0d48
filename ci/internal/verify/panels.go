package verify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/prometheus/common/model"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// A view is a dashboard as it looks when it is opened: with the first values of its
// variables, over its own time range.
type view struct {
	dashboards.Dashboard
	values map[string]string
	length time.Duration
}

// open returns the view of a dashboard.
func open(d dashboards.Dashboard) (view, error) {
	text, ok := strings.CutPrefix(d.From, "now-")
	length, err := model.ParseDuration(text)
	if !ok || err != nil || length <= 0 || d.To != "now" {
		return view{}, fmt.Errorf("its time range is %q to %q, and verify only understands ranges such as now-30m to now", d.From, d.To)
	}
	return view{d, d.Values(nil), time.Duration(length)}, nil
}

// name is the dashboard's title without the part that all titles share.
func (w view) name() string { return strings.TrimPrefix(w.Title, "Lab / ") }

// maxSteps bounds at how many times a panel's query is evaluated; Grafana evaluates it
// once for each pixel.
const maxSteps = 240

// step is the time between two evaluations.
func (w view) step(q dashboards.Query) time.Duration { return q.Step(w.length, maxSteps) }

// panels runs every query of every panel as Grafana does, and asks for the values of
// every variable. Each must return data since the traffic began. A panel that has
// Grafana's noValue may be empty.
func (v *verifier) panels(ctx context.Context) {
	var checks []concurrentCheck
	for _, d := range v.dashboards {
		if isOfServices(d) && !v.hasServices() {
			checks = append(checks, concurrentCheck{name: view{Dashboard: d}.name(), run: func(context.Context) (string, error) { return "", ofServices }})
			continue
		}
		w, err := open(d)
		if err != nil {
			checks = append(checks, concurrentCheck{name: view{Dashboard: d}.name(), expected: "a time range", run: func(context.Context) (string, error) { return "", err }})
			continue
		}
		for _, variable := range d.Variables {
			if variable.Type == "query" { // the others have their values with them
				checks = append(checks, v.variableCheck(w, variable))
			}
		}
		checks = append(checks, v.panelChecks(w)...)
	}
	v.checkAll(ctx, "panels", v.timing.panels, checks)
}

// panelChecks is one check for each panel. Outside of a cluster, the panels of a row
// that only a cluster can fill have one check together, which is skipped.
func (v *verifier) panelChecks(w view) (checks []concurrentCheck) {
	away := map[string]int{}
	for _, p := range w.Panels {
		if p.InCluster() && !v.Kubernetes {
			away[p.Row]++
			continue
		}
		q := concurrentCheck{name: w.name() + " / " + p.Title, expected: "every query returns data", run: func(ctx context.Context) (string, error) { return v.panel(ctx, w, p) }}
		if len(p.Queries) > 0 {
			q.backend = p.Queries[0].Datasource
		}
		if p.MayBeEmpty() {
			q.expected = "every query is answered; without data: " + p.NoValue
		}
		checks = append(checks, q)
	}
	for _, row := range w.Rows {
		if n := away[row.Title]; n > 0 {
			why := skipReason(fmt.Sprintf("%d panels that only a cluster can fill", n))
			checks = append(checks, concurrentCheck{name: w.name() + " / " + row.Title, run: func(context.Context) (string, error) { return "", why }})
		}
	}
	return checks
}

var (
	// errEmpty says that a query was answered, and has no data.
	errEmpty = errors.New("no data")
	// errNoExemplar says that a query has data, and none of the exemplars that it asks
	// for. It is an errEmpty.
	errNoExemplar = fmt.Errorf("%w: no exemplar", errEmpty)
)

// panel runs the queries of one panel. A query that is not answered fails the panel; a
// query without data fails it unless the panel may be empty.
func (v *verifier) panel(ctx context.Context, w view, p dashboards.Panel) (string, error) {
	var all tallies
	var errs []error
	quiet := false
	for _, q := range p.Queries {
		n, err := v.ask(ctx, w, q)
		all = append(all, n)
		if err != nil && (!p.MayBeEmpty() || !errors.Is(err, errEmpty)) {
			if errors.Is(err, errEmpty) && !v.hasServices() {
				quiet = true
				continue
			}
			errs = append(errs, fmt.Errorf("query %s: %w", q.RefID, err))
		}
	}
	if len(errs) == 0 && quiet {
		return "", nothingSent
	}
	return all.String(), errors.Join(errs...)
}

// count is the number of series, lines, traces or edges that a query has returned.
type count struct {
	n         int
	of        dashboards.Finding
	exemplars int
}

// tallies are the counts of a panel's queries.
type tallies []count

// String writes "2/2/2 series, 14 exemplars".
func (all tallies) String() string {
	var parts []string
	exemplars := 0
	for i, c := range all {
		exemplars += c.exemplars
		if i > 0 && c.of == all[i-1].of {
			last := len(parts) - 1
			parts[last] = strings.TrimSuffix(parts[last], " "+string(c.of)) + fmt.Sprintf("/%d %s", c.n, c.of)
			continue
		}
		parts = append(parts, fmt.Sprintf("%d %s", c.n, c.of))
	}
	if exemplars > 0 {
		parts = append(parts, fmt.Sprintf("%d exemplars", exemplars))
	}
	return strings.Join(parts, ", ")
}

// ask runs one query as Grafana does. A query without data since the traffic began is
// errEmpty: older data within the time range may be of a metric that was renamed.
func (v *verifier) ask(ctx context.Context, w view, q dashboards.Query) (count, error) {
	now, step := time.Now(), w.step(q)
	// Whole steps back from now, so that the last value is the latest.
	from, expr := now.Add(-w.length.Truncate(step)), q.Fill(w.values, step, w.length)
	switch q.Datasource {
	case dashboards.Prometheus:
		return v.askMimir(ctx, q, expr, from, now, step)
	case dashboards.Loki:
		return v.askLoki(ctx, q, expr, from, now, step)
	case dashboards.Tempo:
		if q.Finds() == dashboards.Edges {
			return v.askServiceMap(ctx, w, q)
		}
		return v.askTempo(ctx, q, expr, from, now, step)
	}
	return count{}, fmt.Errorf("a data source of the type %q: the lab has no such data source", q.Datasource)
}

func (v *verifier) askMimir(ctx context.Context, q dashboards.Query, expr string, from, to time.Time, step time.Duration) (count, error) {
	var series []query.Series
	var err error
	if q.Instant {
		series, err = v.mimir.At(ctx, expr, to)
	} else {
		series, err = v.mimir.Range(ctx, expr, from, to, step)
	}
	c := count{n: len(series), of: dashboards.Series}
	if err == nil {
		err = v.numbers(series, expr)
	}
	if err != nil || !q.Exemplar {
		return c, err
	}
	exemplars, err := v.mimir.Exemplars(ctx, expr, v.since(), to)
	c.exemplars = len(exemplars)
	if err == nil && len(exemplars) == 0 {
		err = fmt.Errorf("%w since %s: %s", errNoExemplar, v.sinceText(), expr)
	}
	return c, err
}

func (v *verifier) askLoki(ctx context.Context, q dashboards.Query, expr string, from, to time.Time, step time.Duration) (count, error) {
	var series []query.Series
	var err error
	switch {
	case q.Finds() == dashboards.Lines:
		lines, err := v.loki.Latest(ctx, expr, from, to, cmp.Or(q.Limit, usualLines))
		c := count{n: len(lines), of: dashboards.Lines}
		if err == nil && (len(lines) == 0 || lines[0].Time.Before(v.since())) {
			err = fmt.Errorf("%w: no line since %s: %s", errEmpty, v.sinceText(), expr)
		}
		return c, err
	case q.Instant:
		series, err = v.loki.At(ctx, expr, to)
	default:
		series, err = v.loki.Range(ctx, expr, from, to, step)
	}
	if err == nil {
		err = v.numbers(series, expr)
	}
	return count{n: len(series), of: dashboards.Series}, err
}

// usualLines and usualTraces are how many Grafana asks for when the query sets no
// limit.
const usualLines, usualTraces = 1000, 20

func (v *verifier) askTempo(ctx context.Context, q dashboards.Query, expr string, from, to time.Time, step time.Duration) (count, error) {
	if q.Finds() == dashboards.Series {
		series, err := v.tempo.Range(ctx, expr, from, to, step)
		if err == nil {
			err = v.numbers(series, expr)
		}
		return count{n: len(series), of: dashboards.Series}, err
	}
	traces, err := v.tempo.Find(ctx, expr, from, to, cmp.Or(q.Limit, usualTraces))
	c := count{n: len(traces), of: dashboards.Traces}
	if err != nil {
		return c, err
	}
	for _, t := range traces {
		if !t.Start.Before(v.since()) {
			return c, nil
		}
	}
	return c, fmt.Errorf("%w: no trace since %s: %s", errEmpty, v.sinceText(), expr)
}

// askServiceMap asks for the edges of the service graph. Grafana makes them from the
// metrics that Tempo's generator writes to Mimir.
func (v *verifier) askServiceMap(ctx context.Context, w view, q dashboards.Query) (count, error) {
	graph := dashboards.Query{Expr: "sum by (client, server) (rate(traces_service_graph_request_total" + q.Expr + "[$__range]))"}
	expr := graph.Fill(w.values, w.step(q), w.length)
	edges, err := v.mimir.At(ctx, expr, time.Now())
	if err == nil {
		err = v.numbers(edges, expr)
	}
	return count{n: len(edges), of: dashboards.Edges}, err
}

// numbers fails unless one of the series has a number from after the traffic began.
func (v *verifier) numbers(series []query.Series, expr string) error {
	old := false
	for _, s := range series {
		for _, p := range s.Points {
			if math.IsNaN(p.Value) || math.IsInf(p.Value, 0) {
				continue
			}
			if !p.Time.Before(v.since()) {
				return nil
			}
			old = true
		}
	}
	switch {
	case len(series) == 0:
		return fmt.Errorf("%w: %s", errEmpty, expr)
	case old:
		return fmt.Errorf("%w since %s, only from before: %s", errEmpty, v.sinceText(), expr)
	}
	return fmt.Errorf("%w: %d series without a number (NaN is none): %s", errEmpty, len(series), expr)
}

// since is when the verified traffic began.
func (v *verifier) since() time.Time {
	if v.Run != nil && !v.Run.Started.IsZero() && v.Run.Started.Before(v.started) {
		return v.Run.Started
	}
	return v.started
}

func (v *verifier) sinceText() string { return v.since().Format(time.TimeOnly) }
