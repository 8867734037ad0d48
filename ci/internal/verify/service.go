package verify

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// serviceVariable is the name of the dashboards' variable that chooses services.
const serviceVariable = "service"

// Service checks the dashboards for any service that sends to the lab, over the time
// since: that the stores have something of the service, that Tempo made metrics of its
// spans, and that every panel that follows the dashboards' choice of service has data
// when this service is chosen. A panel that services of its kind cannot fill is skipped
// with the panel's own text. It sends no traffic.
//
// Of the options it uses Addresses, Kubernetes and Progress. It fails only when there is
// nothing to report.
func Service(ctx context.Context, o Options, name string, since time.Duration) (report.Report, error) {
	c, err := readCommitted()
	if err != nil {
		return report.Report{}, err
	}
	v := &verifier{Options: o, committed: c, timing: usual()}
	return v.service(ctx, name, since)
}

func (v *verifier) service(ctx context.Context, name string, since time.Duration) (report.Report, error) {
	if v.Progress == nil {
		v.Progress = func(string) {}
	}
	defer v.connect()()
	begin := time.Now()
	v.started = begin.Add(-since)
	v.report = report.Report{Name: "verify", Started: begin, Environment: map[string]string{
		"target": v.Addresses.Name, "service": name,
	}}
	v.Progress("what the stores have of " + name)
	sent := v.signals(ctx, name)
	if len(sent) > 0 {
		v.Progress("every panel that follows the choice of a service")
		v.servicePanels(ctx, name)
	}
	v.report.Duration = time.Since(begin)
	return v.report, context.Cause(ctx)
}

// signals checks which signals the stores have of the service, and returns them.
func (v *verifier) signals(ctx context.Context, name string) []string {
	var sent []string
	now := time.Now()
	v.check("service", "it sends", "traces, logs or metrics", func() (string, error) {
		var errs []error
		note := func(signal string, n int, err error) {
			if err != nil {
				errs = append(errs, err)
			} else if n > 0 {
				sent = append(sent, signal)
			}
		}
		traces, err := v.tempo.Find(ctx, fmt.Sprintf(`{ resource.service.name = %q }`, name), v.started, now, 1)
		note("traces", len(traces), err)
		lines, err := v.loki.Latest(ctx, fmt.Sprintf(`{service_name=%q}`, name), v.started, now, 1)
		note("logs", len(lines), err)
		metrics, err := v.mimir.LabelValues(ctx, "__name__", fmt.Sprintf(`{service_name=%q}`, name), v.started, now)
		note("metrics", len(metrics), err)
		if err := errors.Join(errs...); err != nil {
			return strings.Join(sent, ", "), err
		}
		if len(sent) == 0 {
			return "nothing", v.nothingOf(ctx, name, now)
		}
		return strings.Join(sent, ", "), nil
	})
	if slices.Contains(sent, "traces") {
		v.check("service", "metrics of its spans", "≥ 1 series", func() (measured string, err error) {
			err = v.poll(ctx, v.timing.generator, func(ctx context.Context) error {
				series, err := v.mimir.At(ctx, fmt.Sprintf(`traces_spanmetrics_calls_total{service_name=%q}`, name), time.Now())
				if err == nil && len(series) == 0 {
					err = errors.New("Tempo has traces of the service and made no metrics of them")
				}
				measured = fmt.Sprintf("%d series", len(series))
				return err
			})
			return measured, err
		})
	}
	return sent
}

// nothingOf says that there is no telemetry of the service, and of which there is.
func (v *verifier) nothingOf(ctx context.Context, name string, now time.Time) error {
	others, err := v.mimir.LabelValues(ctx, "service_name", `{service_name!=""}`, v.started, now)
	if err != nil || len(others) == 0 {
		return fmt.Errorf("no telemetry of %q has arrived since %s, nor of any other service", name, v.sinceText())
	}
	return fmt.Errorf("no telemetry of %q has arrived since %s; it has of %s", name, v.sinceText(), strings.Join(others, ", "))
}

// servicePanels runs the panels that follow the choice of a service, for this one.
func (v *verifier) servicePanels(ctx context.Context, name string) {
	// The name is inserted into a regular expression in a string: both have escapes.
	chosen := map[string]string{serviceVariable: strings.ReplaceAll(regexp.QuoteMeta(name), `\`, `\\`)}
	var checks []concurrentCheck
	for _, d := range v.dashboards {
		w, err := open(d)
		if err != nil {
			checks = append(checks, concurrentCheck{name: view{Dashboard: d}.name(), expected: "a time range", run: func(context.Context) (string, error) { return "", err }})
			continue
		}
		w.values = d.Values(chosen)
		for _, p := range w.Panels {
			if followsService(p) && (!p.InCluster() || v.Kubernetes) {
				checks = append(checks, v.servicePanel(w, p))
			}
		}
	}
	v.checkAll(ctx, "panels", v.timing.panels, checks)
}

// servicePanel checks one panel: each query must be answered, and one must have data. An
// SDK need not send exemplars. Data may be late, so that a panel without data is asked
// again for a while; only then is it one that does not apply.
func (v *verifier) servicePanel(w view, p dashboards.Panel) concurrentCheck {
	deadline := time.Now().Add(v.timing.export)
	run := func(ctx context.Context) (string, error) {
		var all tallies
		var failed, empty []error
		for _, q := range p.Queries {
			n, err := v.ask(ctx, w, q)
			all = append(all, n)
			switch {
			case err == nil, errors.Is(err, errNoExemplar):
			case errors.Is(err, errEmpty):
				empty = append(empty, fmt.Errorf("query %s: %w", q.RefID, err))
			default:
				failed = append(failed, fmt.Errorf("query %s: %w", q.RefID, err))
			}
		}
		switch {
		case len(failed) > 0:
			return all.String(), errors.Join(failed...)
		case len(empty) < len(p.Queries):
			return all.String(), nil
		case p.NoValue != "" && time.Now().After(deadline):
			return "", skipReason(p.NoValue)
		}
		return all.String(), errors.Join(empty...)
	}
	return concurrentCheck{
		name: w.name() + " / " + p.Title, expected: "every query is answered, one with data", backend: p.Queries[0].Datasource, run: run,
	}
}

// followsService says whether one of the panel's queries uses the choice of a service.
func followsService(p dashboards.Panel) bool {
	return slices.ContainsFunc(p.Queries, func(q dashboards.Query) bool {
		return slices.Contains(dashboards.References(q.Expr), serviceVariable)
	})
}

// ServiceAsks are the components that Service sends requests to.
func ServiceAsks() []string { return []string{target.Loki, target.Tempo, target.Mimir} }
