package httpx

import (
	"context"
	"crypto/rand"
	"regexp"
)

// The headers that name a request. Both are set on every response; X-Trace-Id
// only where there is a span.
const (
	// HeaderRequestID is accepted from the client if it matches ^[\w-]{1,64}$,
	// made otherwise. Forward [RequestID] to the next service under this name.
	HeaderRequestID = "X-Request-Id"
	// HeaderTraceID is the trace's id, 32 lower-case hex digits.
	HeaderTraceID = "X-Trace-Id"
)

var requestIDPattern = regexp.MustCompile(`^[\w-]{1,64}$`)

type requestIDKey struct{}

// RequestID returns the id of the request that ctx belongs to, "" outside one.
func RequestID(ctx context.Context) string {
	id, _ := ctx.Value(requestIDKey{}).(string)
	return id
}

func withRequestID(ctx context.Context, id string) context.Context {
	return context.WithValue(ctx, requestIDKey{}, id)
}

// requestID accepts the client's id only if it is harmless in a header, a log
// line and a URL.
func requestID(fromClient string) string {
	if requestIDPattern.MatchString(fromClient) {
		return fromClient
	}
	return rand.Text() // 26 letters and digits, 128 bits or more
}
