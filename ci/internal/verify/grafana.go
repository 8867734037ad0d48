package verify

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/config/grafana"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// grafana checks, where Grafana runs, that Grafana has the committed data sources and
// dashboards. It asks without a login, and skips the checks that Grafana refuses
// without one. Errors in provisioning are in Grafana's log alone: Grafana does not start
// with a data source that it cannot read; a dashboard that it cannot read it leaves out,
// or it keeps the old one.
func (v *verifier) grafana(ctx context.Context) {
	if v.Addresses.Grafana == "" {
		v.add("grafana", "provisioned", "", outcome{err: skipReason("Grafana does not run on this target")}, 0)
		return
	}
	g := query.Grafana{URL: v.Addresses.Grafana, HTTP: v.http}
	checks := []concurrentCheck{{name: "health", expected: "its database is ok", run: func(ctx context.Context) (string, error) { return denied(g.Version(ctx)) }}}
	for _, s := range v.sources {
		checks = append(checks, concurrentCheck{name: "data source " + s.UID, expected: "is there, and works", run: func(ctx context.Context) (string, error) {
			return denied(sourceWorks(ctx, g, s))
		}})
	}
	for _, d := range v.dashboards {
		checks = append(checks, concurrentCheck{name: "dashboard " + d.UID, expected: fmt.Sprintf("the committed one, of %d panels, from a file", len(d.Panels)), run: func(ctx context.Context) (string, error) {
			return denied(sameDashboard(ctx, g, d))
		}})
	}
	v.checkAll(ctx, "grafana", v.timing.grafana, checks)
}

// denied turns Grafana's refusal to answer without a login into a skipped check.
func denied(measured string, err error) (string, error) {
	if errors.Is(err, query.ErrDenied) {
		return "", skipReason("Grafana: " + err.Error())
	}
	return measured, err
}

// echoes are paths that a working backend answers with 200. They are for data sources
// whose plugin has no health check.
var echoes = map[string]string{
	dashboards.Prometheus: "/api/v1/status/buildinfo", dashboards.Loki: "/loki/api/v1/labels", dashboards.Tempo: "/api/echo",
}

// sourceWorks checks that Grafana has the data source and reaches its backend.
func sourceWorks(ctx context.Context, g query.Grafana, s grafana.Datasource) (string, error) {
	kind, err := g.DatasourceType(ctx, s.UID)
	switch {
	case errors.Is(err, query.ErrDenied):
		kind = s.Type // the health check may be allowed all the same
	case err != nil:
		return "", err
	case kind != s.Type:
		return kind, fmt.Errorf("the data source %q is of the type %s, not %s", s.UID, kind, s.Type)
	}
	err = g.CheckDatasource(ctx, s.UID)
	if errors.Is(err, query.ErrNotFound) {
		return kind + ", answers through Grafana", g.Through(ctx, s.UID, echoes[s.Type])
	}
	return kind + ", OK", err
}

// sameDashboard checks that Grafana shows the committed dashboard.
func sameDashboard(ctx context.Context, g query.Grafana, want dashboards.Dashboard) (string, error) {
	model, provisioned, err := g.Dashboard(ctx, want.UID)
	if err != nil {
		return "", err
	}
	has, err := dashboards.Read(want.File, model)
	if err != nil {
		return "", err
	}
	measured := fmt.Sprintf("%q, %d panels", has.Title, len(has.Panels))
	switch {
	case !provisioned:
		return measured, errors.New("the dashboard is not from a file: somebody has made or changed it in the browser")
	case has.Title != want.Title:
		return measured, fmt.Errorf("its title is %q, not %q", has.Title, want.Title)
	case len(has.Panels) != len(want.Panels):
		return measured, fmt.Errorf("it has %d panels, not %d: was Grafana given these files?", len(has.Panels), len(want.Panels))
	}
	for i, p := range want.Panels {
		if got := has.Panels[i]; asked(got) != asked(p) {
			return measured, fmt.Errorf("panel %d differs: was Grafana given these files? It has\n%s\nnot\n%s", i+1, asked(got), asked(p))
		}
	}
	return measured, nil
}

// asked is a panel's title and queries, to compare panels by.
func asked(p dashboards.Panel) string {
	parts := []string{p.Title}
	for _, q := range p.Queries {
		parts = append(parts, q.RefID+": "+q.Expr)
	}
	return strings.Join(parts, "; ")
}
