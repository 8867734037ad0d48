package main

import (
	"context"
	"html/template"
	"log/slog"
	"net/http"
	"net/http/httputil"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// backendTimeout bounds one call to the backend: longer than the longest fault,
// shorter than the router's own deadline, so that a slow backend is a 504 here.
const backendTimeout = fault.MaxDelay + 3*time.Second

// server answers the frontend's requests.
type server struct {
	cfg      config
	log      *slog.Logger
	backend  *backend
	proxy    *httputil.ReverseProxy
	template *template.Template
	crossing *http.CrossOriginProtection
}

// newHandler returns all of the frontend, ready to serve.
func newHandler(cfg config, tel *telemetry.Telemetry, ready *httpx.Readiness) (http.Handler, error) {
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	page, err := parsePage(files)
	if err != nil {
		return nil, err
	}
	b := &backend{base: cfg.backend, timeout: cfg.backendTimeout, client: &http.Client{
		Transport: newTransport(tel),
		// The users API redirects nowhere; what does is not the users API.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s := &server{
		cfg: cfg, log: tel.Logger, backend: b, proxy: newProxy(b, tel.Logger),
		template: page, crossing: http.NewCrossOriginProtection(),
	}
	router := httpx.NewRouter(httpx.RouterConfig{Telemetry: tel, ServerName: cfg.serverName(tel.ServiceName)})
	s.register(router, files)
	router.Probe("GET /health", httpx.Health)
	router.Probe("GET /ready", ready.Probe)
	return securityHeaders(router), nil
}

// register lists every route.
func (s *server) register(router *httpx.Router, files assets) {
	router.Handle("GET /{$}", s.showPage)
	router.Handle("GET /assets/{digest}/{name}", files.serve)
	router.Handle("POST /ui/users", s.ownSite(s.formAdd))
	router.Handle("POST /ui/users/{id}/delete", s.ownSite(s.formDelete))
	router.Handle("POST /ui/slow", s.ownSite(s.formFault(didSlow, slowFault)))
	router.Handle("POST /ui/error", s.ownSite(s.formFault(didError, fault.Fault{Error: true})))

	router.Handle("GET /api/users", s.proxyTo("/users"))
	router.Handle("POST /api/users", s.ownSite(s.proxyTo("/users")))
	router.Handle("GET /api/users/{id}", s.proxyTo("/users/{id}"))
	router.Handle("DELETE /api/users/{id}", s.ownSite(s.proxyTo("/users/{id}")))
	router.Handle("GET /api/stats", s.proxyTo("/stats"))
}

// ownSite refuses what another site's page makes a browser send. Clients that
// are no browsers say nothing about where they come from, and pass.
func (s *server) ownSite(next httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.crossing.Check(r); err != nil {
			return &httpx.Error{Status: http.StatusForbidden, Detail: "Requests from other sites are not taken.", Err: err}
		}
		return next(w, r)
	}
}

// logBackend logs an error that is shown on the page instead of being returned.
// What the client did wrong is not worth a line; the access log has its status.
func (s *server) logBackend(ctx context.Context, call string, err error) {
	if statusOf(err) < 500 {
		return
	}
	s.log.LogAttrs(ctx, slog.LevelError, "the backend failed", slog.String("call", call), slog.Any("error", err),
		slog.String("request_id", httpx.RequestID(ctx)))
}
