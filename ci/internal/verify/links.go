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
	"github.com/lgtm-lab/lgtm-lab/config/grafana"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// links follows every link between the signals that Grafana is provisioned with, as a
// click would, from the telemetry of the one request.
func (v *verifier) links(ctx context.Context, p *probe) {
	var checks []concurrentCheck
	of := func(kind string) (found []grafana.Datasource) {
		for _, s := range v.sources {
			if s.Type == kind {
				found = append(found, s)
			}
		}
		return found
	}
	// add adds the checks of one kind of link. A kind without a link fails.
	add := func(kind string, all []concurrentCheck) {
		if len(all) == 0 {
			all = []concurrentCheck{{name: kind, expected: "a link", run: func(context.Context) (string, error) {
				return "none", errors.New("config/grafana/provisioning/datasources has no such link")
			}}}
		}
		for _, q := range all {
			q.backend = q.name // they are few, so all of them may run at the same time
			checks = append(checks, q)
		}
	}
	var derived, logs, metrics, exemplars, graphs []concurrentCheck
	for _, s := range of(dashboards.Loki) {
		for _, f := range s.Links.Derived {
			derived = append(derived, concurrentCheck{name: "log → trace, by " + f.Name, expected: "the trace of the line", run: func(ctx context.Context) (string, error) { return v.derivedField(ctx, p, f) }})
		}
	}
	for _, s := range of(dashboards.Tempo) {
		if l := s.Links.Logs; l.UID != "" {
			logs = append(logs, concurrentCheck{name: "trace → logs", expected: "the lines of each service's span", run: func(ctx context.Context) (string, error) { return v.logsOfSpan(ctx, p, l) }})
		}
		for _, q := range s.Links.Metrics.Queries {
			metrics = append(metrics, concurrentCheck{name: "trace → metrics, " + q.Name, expected: "data for each service's span", run: func(ctx context.Context) (string, error) {
				return v.metricsOfSpan(ctx, p, s.Links.Metrics, q.Query)
			}})
		}
		if uid := s.Links.ServiceMap.UID; uid != "" {
			graphs = append(graphs, concurrentCheck{name: "service map", expected: "edges", run: func(ctx context.Context) (string, error) { return v.serviceMap(ctx, uid) }})
		}
	}
	for _, s := range of(dashboards.Prometheus) {
		for _, e := range s.Links.Exemplars {
			exemplars = append(exemplars, concurrentCheck{name: "exemplar → trace, by " + e.Name, expected: "a trace of each histogram", run: func(ctx context.Context) (string, error) { return v.traceOfExemplar(ctx, e) }})
		}
	}
	add("log → trace", derived)
	add("trace → logs", logs)
	add("trace → metrics", metrics)
	add("exemplar → trace", exemplars)
	add("service map", graphs)
	v.checkAll(ctx, "links", v.timing.links, checks)
}

// leadsTo fails unless the lab has a data source with that uid and type.
func (v *verifier) leadsTo(uid, kind string) error {
	i := slices.IndexFunc(v.sources, func(s grafana.Datasource) bool { return s.UID == uid })
	switch {
	case i < 0:
		return fmt.Errorf("the link leads to the data source %q, which is not provisioned", uid)
	case v.sources[i].Type != kind:
		return fmt.Errorf("the link leads to the data source %q of the type %s, not %s", uid, v.sources[i].Type, kind)
	}
	return nil
}

// spansOf are the request's server spans, by service. Without them the check is
// skipped: the check of the trace has failed, and says why.
func (p *probe) spansOf() (map[string]query.Span, error) {
	switch {
	case p.err != nil:
		return nil, skipReason("there is no request to follow: " + p.err.Error())
	case p.wayErr != nil:
		return nil, skipReason("the request has no whole trace: " + p.wayErr.Error())
	}
	return map[string]query.Span{"frontend": p.way.server, "backend": p.way.backend}, nil
}

// derivedField takes the value out of the request's log line and asks for the trace.
func (v *verifier) derivedField(ctx context.Context, p *probe, f grafana.DerivedField) (string, error) {
	if p.err != nil {
		return "", skipReason("there is no request to follow: " + p.err.Error())
	}
	if err := v.leadsTo(f.UID, dashboards.Tempo); err != nil {
		return "", err
	}
	lines, err := v.loki.Lines(ctx, `{service_name="frontend"} | trace_id="`+p.traceID+`"`, p.sent.Add(-time.Minute), time.Now(), 1)
	if err == nil && len(lines) == 0 {
		err = fmt.Errorf("Loki has no line of the trace %s", p.traceID)
	}
	if err != nil {
		return "", err
	}
	value, err := derive(f, lines[0])
	if err != nil {
		return "", err
	}
	asked := strings.ReplaceAll(f.Query, "${__value.raw}", value)
	if asked != p.traceID {
		return "", fmt.Errorf("Tempo would be asked for %q, which is not the id of the line's trace, %s", asked, p.traceID)
	}
	spans, err := v.tempo.Trace(ctx, asked)
	return fmt.Sprintf("%d spans", len(spans)), err
}

// logsOfSpan asks for the lines that belong to the request's spans.
func (v *verifier) logsOfSpan(ctx context.Context, p *probe, l grafana.LogsLink) (string, error) {
	spans, err := p.spansOf()
	if err != nil {
		return "", err
	}
	if err := v.leadsTo(l.UID, dashboards.Loki); err != nil {
		return "", err
	}
	if !l.Custom {
		return "", errors.New("the link has no query of its own (customQuery), and Grafana's own query searches the lines' text, which does not have the trace's id")
	}
	var measured []string
	for _, service := range slices.Sorted(maps.Keys(spans)) {
		span := spans[service]
		logQL, err := fillLink(l.Query, l.Tags, p.traceID, span)
		if err != nil {
			return "", err
		}
		from, to, err := shifted(span, l.From, l.To)
		if err != nil {
			return "", err
		}
		lines, err := v.loki.Lines(ctx, logQL, from, to, 100)
		if err != nil {
			return strings.Join(measured, ", "), err
		}
		if len(lines) == 0 {
			return strings.Join(measured, ", "), fmt.Errorf("no line of the %s: %s", service, logQL)
		}
		for _, line := range lines {
			if id := line.Labels["trace_id"]; id != p.traceID {
				return strings.Join(measured, ", "), fmt.Errorf("a line of another trace, %q: %s", id, logQL)
			}
		}
		measured = append(measured, fmt.Sprintf("%d of the %s", len(lines), service))
	}
	return strings.Join(measured, ", "), nil
}

// metricsOfSpan asks one query of trace → metrics for the request's spans.
func (v *verifier) metricsOfSpan(ctx context.Context, p *probe, l grafana.MetricsLink, text string) (string, error) {
	spans, err := p.spansOf()
	if err != nil {
		return "", err
	}
	if err := v.leadsTo(l.UID, dashboards.Prometheus); err != nil {
		return "", err
	}
	var measured []string
	for _, service := range slices.Sorted(maps.Keys(spans)) {
		promQL, err := fillLink(text, l.Tags, p.traceID, spans[service])
		if err != nil {
			return "", err
		}
		from, to, err := shifted(spans[service], l.From, l.To)
		if err != nil {
			return "", err
		}
		series, err := v.mimir.Range(ctx, promQL, from, to, dashboards.ScrapeInterval)
		if err == nil {
			err = v.numbers(series, promQL)
		}
		if err != nil {
			return strings.Join(measured, ", "), fmt.Errorf("for the span of the %s: %w", service, err)
		}
		measured = append(measured, fmt.Sprintf("%d series of the %s", len(series), service))
	}
	return strings.Join(measured, ", "), nil
}

// maxTried is how many exemplars of a histogram are tried, the newest first: an
// exemplar may be stored a moment before its trace.
const maxTried = 5

// traceOfExemplar follows an exemplar of each histogram to its trace.
func (v *verifier) traceOfExemplar(ctx context.Context, l grafana.ExemplarLink) (string, error) {
	if err := v.leadsTo(l.UID, dashboards.Tempo); err != nil {
		return "", err
	}
	var errs []error
	for _, source := range exemplarSources {
		found, err := v.mimir.Exemplars(ctx, source.selector, v.since(), time.Now())
		if err != nil {
			return "", err
		}
		slices.SortFunc(found, func(a, b query.Exemplar) int { return b.Time.Compare(a.Time) })
		if !v.kept.All() {
			found = slices.DeleteFunc(found, func(e query.Exemplar) bool { return !v.kept.Keeps(e.TraceID) })
			if len(found) == 0 {
				return "", skipReason("the lab keeps a share of the traces, and no exemplar " + source.name + " is of one that is kept by its id")
			}
		}
		if err := v.anyResolves(ctx, found[:min(len(found), maxTried)], l.Name); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", source.name, err))
		}
	}
	return fmt.Sprintf("of %d of %d histograms", len(exemplarSources)-len(errs), len(exemplarSources)), errors.Join(errs...)
}

// anyResolves tries exemplars until one leads to a trace by the label.
func (v *verifier) anyResolves(ctx context.Context, exemplars []query.Exemplar, label string) error {
	err := errors.New("no exemplar")
	for _, e := range exemplars {
		id := e.Labels[label]
		if id == "" {
			err = fmt.Errorf("an exemplar without the label %s: it has %s", label, braces(e.Labels))
			continue
		}
		if _, err = v.tempo.Trace(ctx, id); err == nil {
			return nil
		}
	}
	return err
}

// serviceMap asks for the metrics that Grafana draws the service map from.
func (v *verifier) serviceMap(ctx context.Context, uid string) (string, error) {
	if err := v.leadsTo(uid, dashboards.Prometheus); err != nil {
		return "", err
	}
	c, err := v.askServiceMap(ctx, view{length: v.timing.alive + time.Since(v.since())}, dashboards.Query{})
	return fmt.Sprintf("%d %s", c.n, c.of), err
}
