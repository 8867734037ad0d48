package main

import (
	_ "embed"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// openAPI describes the routes below. A test compares the two.
//
//go:embed openapi.yaml
var openAPI []byte

// newRouter returns the service's handler with all routes and probes.
func newRouter(cfg config, tel *telemetry.Telemetry, store store, ready *httpx.Readiness) (*httpx.Router, error) {
	metrics, err := newMetrics(tel.MeterProvider, store.Count)
	if err != nil {
		return nil, err
	}
	a := &api{store: store, metrics: metrics, events: tel, version: tel.Version, started: time.Now(), now: time.Now}
	router := httpx.NewRouter(httpx.RouterConfig{
		Telemetry:   tel,
		ServerName:  cfg.serverName(tel.ServiceName),
		Classify:    classify,
		MaxInFlight: cfg.maxInFlight,
	})
	for pattern, handler := range a.routes() {
		router.Handle(pattern, handler)
	}
	for pattern, probe := range probes(ready) {
		router.Probe(pattern, probe)
	}
	return router, nil
}

func (a *api) routes() map[string]httpx.HandlerFunc {
	return map[string]httpx.HandlerFunc{
		"GET /users":         a.listUsers,
		"POST /users":        a.createUser,
		"GET /users/{id}":    a.getUser,
		"DELETE /users/{id}": a.deleteUser,
		"GET /stats":         a.stats,
		"GET /openapi.yaml":  serveOpenAPI,
	}
}

func probes(ready *httpx.Readiness) map[string]httpx.HandlerFunc {
	return map[string]httpx.HandlerFunc{
		"GET /health": httpx.Health,
		"GET /ready":  ready.Probe,
	}
}

// serveOpenAPI answers with the description. Its media type is that of RFC 9512.
func serveOpenAPI(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "application/yaml")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(openAPI)
	return nil
}
