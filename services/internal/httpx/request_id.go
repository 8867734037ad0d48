package httpx

import (
	"context"
	"crypto/rand"
	"regexp"
)

// The headers that name a request. X-Request-Id is on every response, X-Trace-Id
// where there is a trace.
const (
	// HeaderRequestID is accepted from the client if it matches ^[\w-]{1,64}$,
	// made otherwise. Forward [RequestID] to the next service under this name.
	HeaderRequestID = "X-Request-Id"
	// HeaderTraceID is the trace's id, 32 lower-case hex digits.
	HeaderTraceID = "X-Trace-Id"
	// HeaderTraceSampled is "false" where the trace of X-Trace-Id was not recorded:
	// the caller's traceparent said so, or OTEL_TRACES_SAMPLER did. The id then finds
	// log lines, and no trace. The header is left out for a recorded trace.
	HeaderTraceSampled = "X-Trace-Sampled"
)

var requestIDPattern = regexp.MustCompile(`^[\w-]{1,64}$`)

type requestKey struct{}

// request is what the chain knows of a request, in its context.
type request struct {
	id      string
	aborted bool // the connection is to be cut
}

// RequestID returns the id of the request that ctx belongs to, "" outside one.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// abort makes the router cut the connection once the telemetry has the request.
func abort(ctx context.Context) {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		r.aborted = true
	}
}

// requestID accepts the client's id only if it is harmless in a header, a log
// line and a URL.
func requestID(fromClient string) string {
	if requestIDPattern.MatchString(fromClient) {
		return fromClient
	}
	return rand.Text() // 26 letters and digits, 128 bits or more
}
