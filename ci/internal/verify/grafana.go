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

// grafana checks, where Grafana runs, that it has what it was provisioned with. It
// asks what somebody without a login may; what Grafana does not let them see is
// skipped. Grafana tells nobody of errors in provisioning but its log: it does not
// start with a data source that it cannot read, and leaves out such a dashboard, or
// keeps the one that it had.
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

// denied makes of an answer that nobody may see a check that is skipped.
func denied(measured string, err error) (string, error) {
	if errors.Is(err, query.ErrDenied) {
		return "", skipReason("Grafana: " + err.Error())
	}
	return measured, err
}

// echoes are paths of the backends that answer with a 200 when they work, for data
// sources whose plugin has no health check of its own.
var echoes = map[string]string{
	dashboards.Prometheus: "/api/v1/status/buildinfo", dashboards.Loki: "/loki/api/v1/labels", dashboards.Tempo: "/api/echo",
}

// sourceWorks checks that Grafana has the data source, and reaches what is behind it.
func sourceWorks(ctx context.Context, g query.Grafana, s grafana.Datasource) (string, error) {
	kind, err := g.DatasourceType(ctx, s.UID)
	switch {
	case errors.Is(err, query.ErrDenied):
		kind = s.Type // whether it works may be asked all the same
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

// sameDashboard checks that Grafana shows the dashboard that is committed.
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
		return measured, errors.New("it is not from a file: somebody has made or changed it in the browser")
	case has.Title != want.Title:
		return measured, fmt.Errorf("its title is %q, not %q", has.Title, want.Title)
	case len(has.Panels) != len(want.Panels):
		return measured, fmt.Errorf("it has %d panels, not %d: was Grafana given these files?", len(has.Panels), len(want.Panels))
	}
	for i, p := range want.Panels {
		if got := has.Panels[i]; asked(got) != asked(p) {
			return measured, fmt.Errorf("its panel %d is another one: was Grafana given these files?\n%s\nnot\n%s", i+1, asked(got), asked(p))
		}
	}
	return measured, nil
}

// asked is what tells a panel from another: its title and its queries.
func asked(p dashboards.Panel) string {
	parts := []string{p.Title}
	for _, q := range p.Queries {
		parts = append(parts, q.RefID+": "+q.Expr)
	}
	return strings.Join(parts, "; ")
}
