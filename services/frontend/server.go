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

// A request may wait for three things, each longer than the one before, so that the
// one who knows the reason tells it: the backend's own handler gives up after
// [httpx.DefaultTimeout] and says why, the frontend gives a silent backend up after
// backendTimeout, and answerTime later the router gives the frontend's handler up.
const (
	// backendTimeout bounds all that one request asks of the backend, together.
	backendTimeout = httpx.DefaultTimeout + time.Second
	// answerTime is what is left to write a page about a backend that was given up.
	answerTime = 2 * time.Second
)

// server answers the frontend's requests.
type server struct {
	cfg         config
	log         *slog.Logger
	backend     *backendClient
	proxy       *httputil.ReverseProxy
	template    *template.Template
	crossOrigin *http.CrossOriginProtection
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
	b := &backendClient{base: cfg.backend, client: &http.Client{
		Transport: newTransport(tel),
		// The users API redirects nowhere; what does is not the users API.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s := &server{
		cfg: cfg, log: tel.Logger, backend: b, proxy: newProxy(b, tel),
		template: page, crossOrigin: http.NewCrossOriginProtection(),
	}
	router := httpx.NewRouter(httpx.RouterConfig{
		Telemetry: tel, ServerName: cfg.serverName(tel.ServiceName), Timeout: cfg.backendTimeout + answerTime,
	})
	s.register(router, files)
	router.Probe("GET /health", httpx.Health)
	router.Probe("GET /ready", ready.Probe)
	return securityHeaders(router), nil
}

// register lists every route.
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

// withBackendTimeout gives a handler backendTimeout for all its calls to the backend together,
// so that two calls one after the other still leave the time for an answer.
func (s *server) withBackendTimeout(next httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		ctx, cancel := context.WithTimeout(r.Context(), s.cfg.backendTimeout)
		defer cancel()
		return next(w, r.WithContext(ctx))
	}
}

// sameOrigin refuses what another site's page makes a browser send. Clients that
// are no browsers say nothing about where they come from, and pass.
func (s *server) sameOrigin(next httpx.HandlerFunc) httpx.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := s.crossOrigin.Check(r); err != nil {
			return &httpx.Error{Status: http.StatusForbidden, Detail: "Requests from other sites are not taken.", Err: err}
		}
		return next(w, r)
	}
}

// logBackend logs an error that is shown on the page instead of being returned.
// What the client did wrong is not worth a line; the access log has its status.
func (s *server) logBackend(ctx context.Context, call string, err error) {
	if err == nil || statusFor(err) < 500 || ctx.Err() == context.Canceled {
		return
	}
	s.log.LogAttrs(ctx, slog.LevelError, "the backend failed", slog.String("call", call), slog.Any("error", err),
		slog.String("request_id", httpx.RequestID(ctx)))
}
