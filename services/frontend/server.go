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

// Three timeouts apply to a request, each longer than the one before. The backend's
// handler ends after [httpx.DefaultTimeout], and its answer gives the reason. The
// frontend stops waiting for the backend after backendTimeout. The router ends the
// frontend's handler answerTime later. So the service that knows the reason answers
// first.
const (
	// backendTimeout bounds all calls to the backend that one request makes, together.
	backendTimeout = httpx.DefaultTimeout + time.Second
	// answerTime is the time to render a page after backendTimeout is over.
	answerTime = 2 * time.Second
)

// server handles the frontend's requests.
type server struct {
	cfg         config
	log         *slog.Logger
	backend     *backendClient
	proxy       *httputil.ReverseProxy
	template    *template.Template
	crossOrigin *http.CrossOriginProtection
}

// newHandler returns the handler of the whole frontend.
func newHandler(cfg config, tel *telemetry.Telemetry, ready *httpx.Readiness) (http.Handler, error) {
	files, err := loadAssets()
	if err != nil {
		return nil, err
	}
	page, err := parsePage(files)
	if err != nil {
		return nil, err
	}
	b := &backendClient{base: cfg.backend, client: &http.Client{
		Transport: newTransport(tel, cfg.identity),
		// The users API never redirects, so a redirect comes from something else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s := &server{
		cfg: cfg, log: tel.Logger, backend: b, proxy: newProxy(b, tel, cfg.publicEndpoint),
		template: page, crossOrigin: http.NewCrossOriginProtection(),
	}
	router := httpx.NewRouter(httpx.RouterConfig{
		Telemetry: tel, ServerName: cfg.serverName(tel.ServiceName), Timeout: cfg.backendTimeout + answerTime,
		MaxInFlight: cfg.maxInFlight, PublicEndpoint: cfg.publicEndpoint,
	})
	s.register(router, files)
	router.Probe("GET /health", httpx.Health)
	router.Probe("GET /ready", ready.Probe)
	return securityHeaders(router), nil
}

// register registers all routes.
func (s *server) register(router *httpx.Router, files assets) {
	router.Handle("GET /{$}", s.withBackendTimeout(s.showPage))
	router.Handle("GET /assets/{digest}/{name}", files.serve)
	router.Handle("POST /ui/users", s.sameOrigin(s.withBackendTimeout(s.formAdd)))
	router.Handle("POST /ui/users/{id}/delete", s.sameOrigin(s.withBackendTimeout(s.formDelete)))
	router.Handle("POST /ui/slow", s.sameOrigin(s.withBackendTimeout(s.formFault(actionSlow, slowFault))))
	router.Handle("POST /ui/error", s.sameOrigin(s.withBackendTimeout(s.formFault(actionError, fault.Fault{Error: true}))))

	router.Handle("GET /api/users", s.withBackendTimeout(s.proxyTo("/users")))
	router.Handle("POST /api/users", s.sameOrigin(s.withBackendTimeout(s.proxyTo("/users"))))
	router.Handle("GET /api/users/{id}", s.withBackendTimeout(s.proxyTo("/users/{id}")))
	router.Handle("DELETE /api/users/{id}", s.sameOrigin(s.withBackendTimeout(s.proxyTo("/users/{id}"))))
	router.Handle("GET /api/stats", s.withBackendTimeout(s.proxyTo("/stats")))
}

// withBackendTimeout bounds all calls of a handler to the backend together. So there is
// time left for the answer even after two calls in sequence.
func (s *server) withBackendTimeout(next httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.backendTimeout)
		defer cancel()
		return next(w, r.WithContext(ctx))
	}
}

// sameOrigin refuses requests that a browser sends on behalf of another site. Clients
// that are not browsers do not name an origin, and are let through.
func (s *server) sameOrigin(next httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.crossOrigin.Check(r); err != nil {
			return &httpx.Error{Status: http.StatusForbidden, Detail: "Requests from other sites are refused.", Err: err}
		}
		return next(w, r)
	}
}

// logBackend logs an error that is shown on the page and not returned. It does not log
// a client's mistake, whose status is in the access log.
func (s *server) logBackend(ctx context.Context, call string, err error) {
	if err == nil || statusFor(err) < 500 || ctx.Err() == context.Canceled {
		return
	}
	s.log.LogAttrs(ctx, slog.LevelError, "the backend failed", slog.String("call", call), slog.Any("error", err),
		slog.String("request_id", httpx.RequestID(ctx)))
}
