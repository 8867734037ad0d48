package httpx

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// HandlerFunc answers a request, or returns an error. If the handler has written
// nothing, the error becomes a problem document. If it has, the connection is cut,
// because the client has already received a success status.
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// DefaultTimeout is how long a handler may take. It is longer than the longest injected
// fault (fault.MaxDelay, 5 s), so that slow queries still finish. It is shorter than
// the frontend waits for the backend, so that the backend can still say what went
// wrong.
const DefaultTimeout = 7 * time.Second

// RouterConfig is what [NewRouter] needs. Telemetry is required.
type RouterConfig struct {
	// Telemetry receives the spans, the metrics and the log of the requests.
	Telemetry *telemetry.Telemetry
	// ServerName sets server.address and server.port, for example "backend:8081". If it
	// is empty, both come from the Host header, which the client controls.
	ServerName string
	// Classify maps an error of the service's domain to an [Error]. It returns nil for
	// errors that it does not know; the router answers those with 500. It is not called
	// for an [Error] or for a panic.
	Classify func(error) *Error
	// Timeout is each handler's deadline; 0 means [DefaultTimeout]. It must be shorter
	// than the server's ReadTimeout and WriteTimeout, so that there is time left to
	// send the answer. ReadTimeout matters too: net/http keeps reading from the
	// connection while a handler runs, and when that read times out, it cancels the
	// request as if the client had disconnected.
	Timeout time.Duration
	// PublicEndpoint says that anybody may send requests, so that a caller's trace context
	// and baggage are not to be trusted. Each request begins a trace of its own, whose
	// first span has a link to the caller's span, if there is one; so the service alone
	// decides what is sampled. The caller's baggage is ignored.
	PublicEndpoint bool
	// MaxInFlight is how many requests the handlers work on at once; 0 means
	// [DefaultMaxInFlight]. Further requests wait for a quarter of a second at most, and
	// are then rejected with 503 and Retry-After. Probes are always let through.
	MaxInFlight int
	// Now is the clock of the access log; nil means [time.Now].
	Now func() time.Time
}

// Router is an [http.ServeMux] whose handlers return errors, behind the whole chain of
// middleware. Register all routes before serving.
//
// The order of the chain matters. The request id and the deadline enter the context
// before otelhttp: otelhttp reads the route from the *http.Request that it passes on,
// and a copy made by WithContext would hide the route from it. Panics are recovered
// inside otelhttp, and connections are cut outside it, because otelhttp does not count
// a request that panics through it. Requests are admitted before that, because a span
// and a log line cost more than the rest of an answer that rejects one.
type Router struct {
	cfg       RouterConfig
	mux       *http.ServeMux
	traced    http.Handler
	probes    *http.ServeMux
	isProbe   map[string]bool
	admission *admission
	rejecter  *rejecter
}

// NewRouter returns a router without routes.
func NewRouter(cfg RouterConfig) *Router {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxInFlight == 0 {
		cfg.MaxInFlight = DefaultMaxInFlight
	}
	router := &Router{
		cfg: cfg, mux: http.NewServeMux(), probes: http.NewServeMux(), isProbe: map[string]bool{},
		admission: newAdmission(cfg.MaxInFlight),
	}
	router.rejecter = newRejecter(router.mux, cfg)
	if cfg.Telemetry.Off {
		router.traced = router.untraced()
		return router
	}
	opts := []otelhttp.Option{
		otelhttp.WithTracerProvider(cfg.Telemetry.TracerProvider),
		otelhttp.WithMeterProvider(cfg.Telemetry.MeterProvider),
		otelhttp.WithPropagators(cfg.Telemetry.Propagator),
	}
	if cfg.PublicEndpoint { // its propagator replaces the one above
		opts = append(opts, otelhttp.WithPropagators(spanContextOnly{cfg.Telemetry.Propagator}),
			otelhttp.WithPublicEndpointFn(func(*http.Request) bool { return true }))
	}
	if cfg.ServerName != "" {
		opts = append(opts, otelhttp.WithServerName(cfg.ServerName))
	}
	router.traced = otelhttp.NewHandler(http.HandlerFunc(router.serveLogged), "request", opts...)
	return router
}

// untraced serves requests without telemetry. It takes the caller's trace context and
// baggage over, as far as OTEL_PROPAGATORS wants it, so that they reach the next service.
// A public endpoint takes nothing over.
func (rt *Router) untraced() http.Handler {
	propagator := rt.cfg.Telemetry.Propagator
	if len(propagator.Fields()) == 0 || rt.cfg.PublicEndpoint {
		return http.HandlerFunc(rt.serveLogged)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx := propagator.Extract(r.Context(), propagation.HeaderCarrier(r.Header))
		rt.serveLogged(w, r.WithContext(ctx))
	})
}

// Handle registers h for a ServeMux pattern such as "GET /users/{id}". Like ServeMux it
// panics if the pattern is malformed or conflicts with another one.
func (rt *Router) Handle(pattern string, h HandlerFunc) {
	rt.mux.Handle(pattern, toHandler(h))
}

// Probe registers a health probe such as "GET /health". Requests to its path leave no
// spans, no metrics and no access log, whatever their method.
func (rt *Router) Probe(pattern string, h HandlerFunc) {
	rt.probes.Handle(pattern, toHandler(h))
	rt.isProbe[route(pattern)] = true
}

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{id: requestID(r.Header.Get(HeaderRequestID)), peer: peerOf(r), arrived: rt.cfg.Now()}
	w.Header().Set(HeaderRequestID, req.id)
	ctx, cancel := context.WithTimeoutCause(r.Context(), timeout(r.Header, rt.cfg.Timeout), errDeadline)
	defer cancel()
	r = r.WithContext(context.WithValue(ctx, requestKey{}, req))
	if rt.isProbe[r.URL.Path] {
		rt.serve(&recorder{ResponseWriter: w, probe: true}, r, rt.probes)
	} else {
		rt.serveAdmitted(w, r, req)
	}
	if req.aborted {
		panic(http.ErrAbortHandler)
	}
}

// serveAdmitted serves the request once there is room for it, or rejects it. The time
// that the request waited is part of its span and of its duration.
func (rt *Router) serveAdmitted(w http.ResponseWriter, r *http.Request, req *request) {
	arrived := time.Now()
	readAhead(w, r, rt.mux)
	if req.rejected = rt.admission.enter(r.Context()); req.rejected != "" {
		rt.rejecter.reject(w, r, req)
		return
	}
	defer rt.admission.leave()
	rt.traced.ServeHTTP(w, r.WithContext(otelhttp.ContextWithStartTime(r.Context(), arrived)))
}

// toHandler makes h an http.Handler for ServeMux. Such a handler cannot return an
// error, so the error travels in the recorder.
func toHandler(h HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := h(w, r); err != nil {
			w.(*recorder).err = err
		}
	})
}

// route is a pattern without its method and host: "/users/{id}".
func route(pattern string) string {
	if i := strings.IndexByte(pattern, '/'); i >= 0 {
		return pattern[i:]
	}
	return ""
}
