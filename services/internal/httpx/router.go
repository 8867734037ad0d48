package httpx

import (
	"context"
	"net/http"
	"strings"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// HandlerFunc answers a request or returns why it could not. An error that is
// returned before the first byte was written becomes a problem document; after
// that the connection is cut, since the client has already read a success.
type HandlerFunc func(http.ResponseWriter, *http.Request) error

// DefaultTimeout is how long a handler may take: more than the longest fault
// (fault.MaxDelay, 5 s), so that the trace of a slow query ends with its answer, and
// less than a caller waits. A caller that is a service itself waits longer than this,
// so that it hears the reason; see the frontend.
const DefaultTimeout = 7 * time.Second

// RouterConfig is what [NewRouter] needs. Telemetry is required.
type RouterConfig struct {
	// Telemetry receives the spans, the metrics and the log of the requests.
	Telemetry *telemetry.Telemetry
	// ServerName pins server.address and server.port, as "backend:8081". Left
	// empty they come from the Host header, and so from the client.
	ServerName string
	// Classify tells how an error of the service's domain is told to a client.
	// It returns nil for errors that it does not know, which are then a 500. It
	// is not asked about an [Error] or a panic.
	Classify func(error) *Error
	// Timeout is each handler's deadline; 0 means [DefaultTimeout]. It must be
	// shorter than the server's ReadTimeout and WriteTimeout: what is left is the
	// time to say that the request took too long. ReadTimeout counts because
	// net/http goes on reading while a handler runs, and takes a read that times
	// out for a client that is gone.
	Timeout time.Duration
	// Now is the clock of the access log; nil means [time.Now].
	Now func() time.Time
}

// Router is an [http.ServeMux] whose handlers return errors, with the whole
// chain of middleware in front. Register everything before serving.
//
// The order of the chain matters: the request's id and deadline are put into the
// context outside otelhttp, because otelhttp reads the route from the very
// *http.Request that it hands on, and a WithContext in between would lose it.
// Recovery is inside otelhttp, and the panic that cuts a connection is outside,
// because otelhttp counts no request that panics through it.
type Router struct {
	cfg     RouterConfig
	mux     *http.ServeMux
	traced  http.Handler
	probes  *http.ServeMux
	isProbe map[string]bool
}

// NewRouter returns a router without routes.
func NewRouter(cfg RouterConfig) *Router {
	if cfg.Timeout == 0 {
		cfg.Timeout = DefaultTimeout
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	router := &Router{cfg: cfg, mux: http.NewServeMux(), probes: http.NewServeMux(), isProbe: map[string]bool{}}
	opts := []otelhttp.Option{
		otelhttp.WithTracerProvider(cfg.Telemetry.TracerProvider),
		otelhttp.WithMeterProvider(cfg.Telemetry.MeterProvider),
		otelhttp.WithPropagators(cfg.Telemetry.Propagator),
	}
	if cfg.ServerName != "" {
		opts = append(opts, otelhttp.WithServerName(cfg.ServerName))
	}
	router.traced = otelhttp.NewHandler(http.HandlerFunc(router.serveLogged), "request", opts...)
	return router
}

// Handle registers h for a ServeMux pattern, as "GET /users/{id}". It panics on
// a pattern that is malformed or conflicts with another, as ServeMux does.
func (rt *Router) Handle(pattern string, h HandlerFunc) {
	rt.mux.Handle(pattern, toHandler(h))
}

// Probe registers a health probe, as "GET /health". Its path makes no spans, no
// metrics and no access log, whatever the method.
func (rt *Router) Probe(pattern string, h HandlerFunc) {
	rt.probes.Handle(pattern, toHandler(h))
	rt.isProbe[route(pattern)] = true
}

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	req := &request{id: requestID(r.Header.Get(HeaderRequestID))}
	w.Header().Set(HeaderRequestID, req.id)
	ctx, cancel := context.WithTimeoutCause(r.Context(), rt.cfg.Timeout, errDeadline)
	defer cancel()
	r = r.WithContext(context.WithValue(ctx, requestKey{}, req))
	if rt.isProbe[r.URL.Path] {
		rt.serve(&recorder{ResponseWriter: w, probe: true}, r, rt.probes)
	} else {
		rt.traced.ServeHTTP(w, r)
	}
	if req.aborted {
		panic(http.ErrAbortHandler)
	}
}

// toHandler makes an http.Handler of h for ServeMux, which knows no errors. The
// error travels in the recorder that serve wrapped around the response.
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
