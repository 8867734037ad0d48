package main

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// Limits of the connections to the backend.
const (
	dialTimeout      = 2 * time.Second
	idleTimeout      = 60 * time.Second
	maxConnections   = 256 // also bounds what a slow backend can hold of ours
	maxIdle          = 64
	maxAnswerHeaders = 32 << 10
)

// newTransport makes the one transport to the backend, which the page and the
// proxy share. Every request through it is a client span and is counted in
// http.client.request.duration, named and labelled by the route of the backend
// that [withRoute] put in its context, never by the path.
func newTransport(tel *telemetry.Telemetry) *otelhttp.Transport {
	plain := &http.Transport{
		// No proxy: the backend is a neighbour, and HTTP_PROXY is about others.
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second}).DialContext,
		MaxConnsPerHost:        maxConnections,
		MaxIdleConns:           maxIdle,
		MaxIdleConnsPerHost:    maxIdle,
		IdleConnTimeout:        idleTimeout,
		TLSHandshakeTimeout:    dialTimeout,
		MaxResponseHeaderBytes: maxAnswerHeaders,
		// The answers are small and the network is local: compressing costs more.
		DisableCompression: true,
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

// annotatingTransport adds what otelhttp leaves out: url.template to the client span, which is
// in the context here, and error.type to the metrics of a call that was answered with
// an error. otelhttp has that on the span.
type annotatingTransport struct{ next http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (a annotatingTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	if route := routeOf(r.Context()); route != "" {
		trace.SpanFromContext(r.Context()).SetAttributes(semconv.URLTemplate(route))
	}
	res, err := a.next.RoundTrip(r)
	if labels, ok := otelhttp.ClientLabelerFromContext(r.Context()); ok && err == nil && res.StatusCode >= 400 {
		labels.Add(semconv.ErrorTypeKey.String(strconv.Itoa(res.StatusCode)))
	}
	return res, err
}

// CloseIdleConnections lets [http.Client.CloseIdleConnections] through.
func (a annotatingTransport) CloseIdleConnections() {
	if closer, ok := a.next.(interface{ CloseIdleConnections() }); ok {
		closer.CloseIdleConnections()
	}
}

type routeKey struct{}

// withRoute says which of the backend's routes, such as "/users/{id}", the
// requests made in the returned context are for.
func withRoute(ctx context.Context, route string) context.Context {
	labels := &otelhttp.Labeler{} // of the metrics, not of the span
	labels.Add(semconv.URLTemplate(route))
	return context.WithValue(otelhttp.ContextWithClientLabeler(ctx, labels), routeKey{}, route)
}

// routeOf is what [withRoute] said, or "".
func routeOf(ctx context.Context) string {
	route, _ := ctx.Value(routeKey{}).(string)
	return route
}
