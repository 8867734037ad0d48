package httpx

import (
	"context"
	"net/http"
	"strings"

	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// knownPropagators are those that OTEL_PROPAGATORS can name.
var knownPropagators = []string{"tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace"}

// baggagePrefixes begin the headers of those propagators that use one for each entry of
// the baggage, in lower case: Jaeger's and OpenTracing's.
var baggagePrefixes = []string{"uberctx-", "ot-baggage-"}

// spanContextOnly takes the id of the caller's span and nothing else: no baggage, and
// none of what a format has besides, such as the debug flag of B3.
type spanContextOnly struct{ propagation.TextMapPropagator }

// Extract returns ctx with the caller's span context.
func (p spanContextOnly) Extract(ctx context.Context, carrier propagation.TextMapCarrier) context.Context {
	caller := trace.SpanContextFromContext(p.TextMapPropagator.Extract(context.Background(), carrier))
	if !caller.IsValid() {
		return ctx
	}
	return trace.ContextWithRemoteSpanContext(ctx, caller)
}

// RemoveContext removes from h what any known format of trace context or baggage has
// there, whether OTEL_PROPAGATORS names the format or not: the service behind a public
// endpoint may know more formats than the endpoint itself.
func RemoveContext(h http.Header) {
	for _, name := range contextHeaders {
		h.Del(name)
	}
	for name := range h {
		for _, prefix := range baggagePrefixes {
			if strings.HasPrefix(strings.ToLower(name), prefix) {
				delete(h, name)
			}
		}
	}
}

var contextHeaders = func() []string {
	all, err := autoprop.TextMapPropagator(knownPropagators...)
	if err != nil {
		panic(err) // the names are constants
	}
	return all.Fields()
}()
