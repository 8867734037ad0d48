package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/mutualtls"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// Limits of the connections to the backend.
const (
	dialTimeout      = 2 * time.Second
	idleTimeout      = 60 * time.Second
	maxConnections   = 256            // also bounds the connections that a slow backend can occupy
	maxIdle          = maxConnections // a connection that is closed at once costs the next request a new one
	maxAnswerHeaders = 32 << 10
)

// newTransport returns the transport to the backend, which page and proxy share. It
// records a client span and http.client.request.duration for each request. Their names
// and labels contain the backend's route, which comes from [withRoute], and never the
// path.
//
// If telemetry is off, it records nothing, and only passes the trace context on.
//
// To a backend at an https address it presents the identity's certificate, and accepts
// only one of its authority.
func newTransport(tel *telemetry.Telemetry, identity *mutualtls.Identity) http.RoundTripper {
	plain := &http.Transport{
		// HTTP_PROXY is ignored, because the backend is in the same network.
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		TLSClientConfig:        identity.Client(),
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		// Compression would not pay: the answers are small and the network is local.
		DisableCompression: true,
	}
	if tel.Off {
		return propagatingTransport{plain, tel.Propagator}
	}
	return otelhttp.NewTransport(annotatingTransport{plain},
		otelhttp.WithTracerProvider(tel.TracerProvider),
		otelhttp.WithMeterProvider(tel.MeterProvider),
		otelhttp.WithPropagators(tel.Propagator),
		otelhttp.WithSpanNameFormatter(func(_ string, r *http.Request) string {
			if route := routeOf(r.Context()); route != "" {
				return r.Method + " " + route
			}
			return r.Method
		}),
	)
}

// annotatingTransport adds two attributes that otelhttp leaves out: url.template on the
// client span, and error.type in the metrics of a call whose answer is an error. It tells
// the backend how long the frontend waits. The request is otelhttp's own copy.
type annotatingTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (a annotatingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if route := routeOf(r.Context()); route != "" {
		trace.SpanFromContext(r.Context()).SetAttributes(semconv.URLTemplate(route))
	}
	httpx.SetTimeout(r.Context(), r.Header)
	res, err := a.next.RoundTrip(r)
	if labels, ok := otelhttp.ClientLabelerFromContext(r.Context()); ok && err == nil && res.StatusCode >= 400 {
		labels.Add(semconv.ErrorTypeKey.String(strconv.Itoa(res.StatusCode)))
	}
	return res, err
}

// CloseIdleConnections makes [http.Client.CloseIdleConnections] work.
func (a annotatingTransport) CloseIdleConnections() {
	if closer, ok := a.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

// propagatingTransport passes the trace context and the baggage on, and tells the backend
// how long the frontend waits. It records nothing.
type propagatingTransport struct {
	*http.Transport
	propagator propagation.TextMapPropagator
}

// RoundTrip implements [http.RoundTripper].
func (p propagatingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context()) // a RoundTripper must not change the request
	p.propagator.Inject(r.Context(), propagation.HeaderCarrier(r.Header))
	httpx.SetTimeout(r.Context(), r.Header)
	return p.Transport.RoundTrip(r)
}

type routeKey struct{}

// withRoute returns a context for requests to a route of the backend, such as
// "/users/{id}".
func withRoute(ctx context.Context, route string) context.Context {
	labels := &otelhttp.Labeler{} // for the metrics; the span has its own attribute
	labels.Add(semconv.URLTemplate(route))
	return context.WithValue(otelhttp.ContextWithClientLabeler(ctx, labels), routeKey{}, route)
}

// routeOf returns the route from [withRoute], or "".
func routeOf(ctx context.Context) string {
	route, _ := ctx.Value(routeKey{}).(string)
	return route
}
