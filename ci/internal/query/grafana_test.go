package query

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
)

// TestGrafana has the answers of Grafana 13 to who is not logged in, shortened.
func TestGrafana(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		ask    func(context.Context, Grafana) (string, error)
		asked  string
		want   string
		says   string // part of the error, "" for none
		is     error
	}{
		{name: "well", status: 200, body: `{"database":"ok","version":"13.1.3","commit":"abc"}`, ask: version, asked: "/api/health", want: "13.1.3"},
		{name: "without its database", status: 200, body: `{"database":"failing","version":"13.1.3"}`, ask: version, asked: "/api/health", want: "13.1.3", says: `its database is "failing"`},
		{name: "another server", status: 200, body: `<html>`, ask: version, asked: "/api/health", says: "unexpected answer"},

		{name: "type", status: 200, body: `{"uid":"mimir","name":"Mimir","type":"prometheus","readOnly":true}`, ask: datasourceType, asked: "/api/datasources/uid/a%2Fb", want: "prometheus"},
		{name: "type of none", status: 404, body: `{"message":"Data source not found"}`, ask: datasourceType, asked: "/api/datasources/uid/a%2Fb", says: "Data source not found", is: ErrNotFound},
		{name: "type, to an administrator only", status: 403, body: `{"message":"You'll need additional permissions"}`, ask: datasourceType, asked: "/api/datasources/uid/a%2Fb", says: "additional permissions", is: ErrDenied},
		{name: "type, with a login only", status: 401, body: `{"message":"Unauthorized"}`, ask: datasourceType, asked: "/api/datasources/uid/a%2Fb", says: "Unauthorized", is: ErrDenied},

		{name: "source works", status: 200, body: `{"message":"Data source is working","status":"OK"}`, ask: health, asked: "/api/datasources/uid/a%2Fb/health"},
		{name: "source does not", status: 400, body: `{"message":"connection refused","status":"ERROR"}`, ask: health, asked: "/api/datasources/uid/a%2Fb/health", says: "connection refused"},
		{name: "source does not, and says so with a 200", status: 200, body: `{"message":"connection refused","status":"ERROR"}`, ask: health, asked: "/api/datasources/uid/a%2Fb/health", says: `status is "ERROR", not OK: connection refused`},
		{name: "source without a check", status: 404, body: `{"message":"Method not implemented"}`, ask: health, asked: "/api/datasources/uid/a%2Fb/health", says: "not implemented", is: ErrNotFound},

		{name: "through", status: 200, body: `echo`, ask: through, asked: "/api/datasources/proxy/uid/a%2Fb/api/echo"},
		{name: "through to nobody", status: 502, body: `{"message":"bad gateway"}`, ask: through, asked: "/api/datasources/proxy/uid/a%2Fb/api/echo", says: "bad gateway"},

		{name: "dashboard", status: 200, body: `{"meta":{"provisioned":true,"slug":"x"},"dashboard":{"uid":"a"}}`, ask: dashboard, asked: "/api/dashboards/uid/a%2Fb", want: `true {"uid":"a"}`},
		{name: "dashboard that somebody has made", status: 200, body: `{"meta":{},"dashboard":{"uid":"a"}}`, ask: dashboard, asked: "/api/dashboards/uid/a%2Fb", want: `false {"uid":"a"}`},
		{name: "no dashboard", status: 404, body: `{"message":"Dashboard not found"}`, ask: dashboard, asked: "/api/dashboards/uid/a%2Fb", want: "false ", says: "Dashboard not found", is: ErrNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			url, a := serve(t, c.status, c.body)
			got, err := c.ask(t.Context(), Grafana{url, http.DefaultClient})
			if got != c.want {
				t.Errorf("the answer is %q, want %q", got, c.want)
			}
			if a.asked == nil || a.asked.URL.EscapedPath() != c.asked {
				t.Errorf("asked was %v, want %s", a.asked.URL, c.asked)
			}
			if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
				t.Errorf("the error is %v, want %q", err, c.says)
			}
			for _, kind := range []error{ErrNotFound, ErrDenied} {
				if errors.Is(err, kind) != errors.Is(c.is, kind) {
					t.Errorf("whether %v is %v is wrong", err, kind)
				}
			}
		})
	}
}

// The ways to ask, for a thing with a name that has to be escaped.

func version(ctx context.Context, g Grafana) (string, error) { return g.Version(ctx) }

func datasourceType(ctx context.Context, g Grafana) (string, error) {
	return g.DatasourceType(ctx, "a/b")
}

func health(ctx context.Context, g Grafana) (string, error) { return "", g.CheckDatasource(ctx, "a/b") }

func through(ctx context.Context, g Grafana) (string, error) {
	return "", g.Through(ctx, "a/b", "/api/echo")
}

func dashboard(ctx context.Context, g Grafana) (string, error) {
	model, provisioned, err := g.Dashboard(ctx, "a/b")
	return fmt.Sprintf("%t %s", provisioned, model), err
}
