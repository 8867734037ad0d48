package query

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
)

// ErrDenied says that Grafana does not answer this without a login.
var ErrDenied = errors.New("not allowed without a login")

// Grafana is asked what it has been provisioned with, through the API of its
// version 13, without a login.
type Grafana struct {
	// URL is Grafana's base URL.
	URL  string
	HTTP *http.Client
}

// get asks one endpoint of Grafana. An answer of 404 is ErrNotFound.
func (g Grafana) get(ctx context.Context, path string, into any) error {
	err := getJSON(ctx, g.HTTP, g.URL, path, nil, into)
	status, ok := errors.AsType[*statusError](err)
	switch {
	case !ok:
		return err
	case status.code == http.StatusUnauthorized || status.code == http.StatusForbidden:
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case status.code == http.StatusNotFound:
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return err
}

// Version returns Grafana's version. It fails unless Grafana's database answers.
func (g Grafana) Version(ctx context.Context) (string, error) {
	var answer struct {
		Version  string `json:"version"`
		Database string `json:"database"`
	}
	if err := g.get(ctx, "/api/health", &answer); err != nil {
		return "", err
	}
	if answer.Database != "ok" {
		return answer.Version, fmt.Errorf("Grafana says that its database is %q, not ok", answer.Database)
	}
	return answer.Version, nil
}

// DatasourceType returns the type of the data source with that uid: prometheus, loki
// or tempo.
func (g Grafana) DatasourceType(ctx context.Context, uid string) (string, error) {
	var answer struct {
		Type string `json:"type"`
	}
	err := g.get(ctx, "/api/datasources/uid/"+url.PathEscape(uid), &answer)
	return answer.Type, err
}

// CheckDatasource lets Grafana ask whether a data source works. A plugin without a
// check of its own is ErrNotFound, as is a data source that is not there.
func (g Grafana) CheckDatasource(ctx context.Context, uid string) error {
	var answer struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	if err := g.get(ctx, "/api/datasources/uid/"+url.PathEscape(uid)+"/health", &answer); err != nil {
		return err
	}
	if answer.Status != "OK" {
		return fmt.Errorf("its status is %q, not OK: %s", answer.Status, answer.Message)
	}
	return nil
}

// Through asks a path of the data source's own, such as /api/echo, through Grafana,
// which must answer with a 200.
func (g Grafana) Through(ctx context.Context, uid, path string) error {
	req, err := http.NewRequest(http.MethodGet, g.URL+"/api/datasources/proxy/uid/"+url.PathEscape(uid)+path, nil)
	if err != nil {
		return err
	}
	_, err = fetch(ctx, g.HTTP, req)
	return err
}

// Dashboard returns the JSON of the dashboard with that uid, and whether Grafana has
// it from a file, and so refuses changes in the browser.
func (g Grafana) Dashboard(ctx context.Context, uid string) (model []byte, provisioned bool, err error) {
	var answer struct {
		Dashboard json.RawMessage `json:"dashboard"`
		Meta      struct {
			Provisioned bool `json:"provisioned"`
		} `json:"meta"`
	}
	err = g.get(ctx, "/api/dashboards/uid/"+url.PathEscape(uid), &answer)
	return answer.Dashboard, answer.Meta.Provisioned, err
}
