package httpx

import (
	"context"
	"crypto/rand"
	"regexp"
	"time"
)

// The headers that identify a request. Every response has X-Request-Id. It has
// X-Trace-Id if there is a trace.
const (
	// HeaderRequestID is the request's id: the client's if it matches ^[\w-]{1,64}$,
	// else a new one. Forward [RequestID] to the next service in this header.
	HeaderRequestID = "X-Request-Id"
	// HeaderTraceID is the trace's id, 32 lower-case hex digits.
	HeaderTraceID = "X-Trace-Id"
	// HeaderTraceSampled is "false" if the trace was not recorded, because of the
	// caller's traceparent (not at a public endpoint) or of OTEL_TRACES_SAMPLER. The trace id then finds log
	// lines, but no trace. The header is left out if the trace was recorded.
	HeaderTraceSampled = "X-Trace-Sampled"
)

var requestIDPattern = regexp.MustCompile(`^[\w-]{1,64}$`)

type requestKey struct{}

// request is the state of a request that travels in its context.
type request struct {
	id       string
	peer     string // the IP address that it came from
	arrived  time.Time
	aborted  bool      // the connection must be cut
	rejected rejection // why the request was not admitted, "" if it was
}

// RequestID returns the id of the request that ctx belongs to, or "" if ctx belongs to
// none.
func RequestID(ctx context.Context) string {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r.id
	}
	return ""
}

// arrived returns when the request that ctx belongs to arrived.
func arrived(ctx context.Context) time.Time {
	r, _ := ctx.Value(requestKey{}).(*request)
	return r.arrived
}

// abort makes the router cut the connection after the request's telemetry is recorded.
func abort(ctx context.Context) {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		r.aborted = true
	}
}

// requestID returns the client's id if it is safe in a header, a log line and a URL,
// and a new one otherwise.
func requestID(fromClient string) string {
	if requestIDPattern.MatchString(fromClient) {
		return fromClient
	}
	return rand.Text() // 26 letters and digits, 128 bits or more
}
