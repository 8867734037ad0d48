package facts

import (
	"cmp"
	"fmt"
	"hash/maphash"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

type operationKey struct {
	name string
	kind ptrace.SpanKind
}

// An operation is an Operation that still counts.
type operation struct {
	Operation
	// sensitive are the findings in its name.
	sensitive []*Sensitive
}

// readSpans counts the spans of a resource, one by one. What needs a whole trace is with
// [traceTable].
func (r *record) readSpans(res *resource, scopes ptrace.ScopeSpansSlice) {
	for _, ss := range scopes.All() {
		r.observeAll(levelScope, ss.Scope().Attributes(), "")
		for _, span := range ss.Spans().All() {
			r.readSpan(res, ss.Scope().Name(), span)
		}
	}
}

func (r *record) readSpan(res *resource, scope string, span ptrace.Span) {
	id := span.TraceID().String()
	failed := span.Status().Code() == ptrace.StatusCodeError
	r.spans.Count++
	if failed {
		r.spans.Errors++
	}
	r.readOperation(scope, span, id, failed)
	r.observeAll(levelSpan, span.Attributes(), id)
	for _, event := range span.Events().All() {
		r.observeAll(levelEvent, event.Attributes(), id)
	}
	for _, link := range span.Links().All() {
		r.observeAll(levelLink, link.Attributes(), id)
	}

	if span.ParentSpanID().IsEmpty() {
		r.spans.ClientRoots.add(hit(span.Kind() == ptrace.SpanKindClient, spanExample(span, "a root span of kind CLIENT")))
	}
	if routed(span) {
		_, has := span.Attributes().Get("http.route")
		r.spans.WithoutRoute.add(hit(!has, spanExample(span, "an HTTP request with a route, no http.route")))
	}
	if failed {
		r.spans.WithoutErrorType.add(hit(!explained(span), spanExample(span, "status Error, no error.type and no exception event")))
	}
	r.readDropped(span)
	if k := span.Kind(); k == ptrace.SpanKindServer || k == ptrace.SpanKindConsumer {
		r.readRequest(res, request{span.StartTimestamp(), span.EndTimestamp()})
	}
}

// readDropped counts what the SDK says it dropped.
func (r *record) readDropped(span ptrace.Span) {
	attributes, events, links := span.DroppedAttributesCount(), span.DroppedEventsCount(), span.DroppedLinksCount()
	if attributes == 0 && events == 0 && links == 0 {
		r.spans.Dropped.add(nil)
		return
	}
	r.spans.Dropped.add(spanExample(span, fmt.Sprintf("dropped: %d attributes, %d events, %d links", attributes, events, links)))
}

// readOperation counts the span under its name and kind.
func (r *record) readOperation(scope string, span ptrace.Span, id string, failed bool) {
	if kept, _ := r.see(&r.names, maphash.String(r.keeper.seed, span.Name()), r.keeper.limits.names, r.last); !kept {
		r.reached[boundNames]++
	}
	key := operationKey{shorten(span.Name(), maxText), span.Kind()}
	o, ok := r.operations[key]
	if !ok {
		found := r.search("span name", "", span.Name(), id)
		if len(r.operations) >= r.keeper.limits.operations {
			r.reached[boundOperations]++
			return
		}
		o = &operation{Operation: Operation{Name: masked("", key.name), Kind: kindName(key.kind), TraceID: id, Scope: shorten(scope, maxText)}, sensitive: found}
		r.operations[key] = o
	} else {
		for _, s := range o.sensitive {
			s.Count++
		}
	}
	o.Count++
	o.TotalSeconds += seconds(span)
	if failed {
		o.Errors++
	}
}

// seconds is a span's duration; 0 when its times are the wrong way round.
func seconds(span ptrace.Span) float64 {
	if span.EndTimestamp() < span.StartTimestamp() {
		return 0
	}
	return float64(span.EndTimestamp()-span.StartTimestamp()) / 1e9
}

// routed tells whether this is the SERVER span of an HTTP request that matched a route: its
// status is not 404 (no such route) and not 405 (not this method).
func routed(span ptrace.Span) bool {
	if span.Kind() != ptrace.SpanKindServer {
		return false
	}
	_, http := first(span.Attributes(), "http.request.method", "http.method")
	v, has := first(span.Attributes(), "http.response.status_code", "http.status_code")
	if !http || !has || v.Type() != pcommon.ValueTypeInt {
		return false
	}
	return v.Int() < 404 || v.Int() > 405
}

// explained tells whether a failed span says what its error is.
func explained(span ptrace.Span) bool {
	if _, ok := span.Attributes().Get("error.type"); ok {
		return true
	}
	for _, event := range span.Events().All() {
		if event.Name() == "exception" {
			return true
		}
	}
	return false
}

// first returns the first of the attributes that is there.
func first(m pcommon.Map, keys ...string) (pcommon.Value, bool) {
	for _, key := range keys {
		if v, ok := m.Get(key); ok {
			return v, true
		}
	}
	return pcommon.Value{}, false
}

func spanExample(span ptrace.Span, detail string) func() Example {
	return func() Example {
		return Example{
			TraceID: span.TraceID().String(), SpanID: span.SpanID().String(),
			Name: masked("", shorten(span.Name(), maxText)), Detail: detail,
		}
	}
}

// kindName is internal, server, client, producer, consumer or unspecified.
func kindName(k ptrace.SpanKind) string { return strings.ToLower(cmp.Or(k.String(), "unspecified")) }
