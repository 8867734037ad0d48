// Package traceparent makes the ids of requests that the lab sends and looks for
// afterwards, in the form of the W3C's Trace Context (https://www.w3.org/TR/trace-context).
package traceparent

import (
	"crypto/rand"
	"encoding/hex"
	"hash/fnv"
)

// NewTraceID returns a random trace id, 32 hexadecimal digits. The first is not 0:
// Tempo writes a trace id without its leading zeros, and its search does not find a
// trace by an id that has them.
func NewTraceID() string { return random(16) }

// NewSpanID returns a random span id, 16 hexadecimal digits, of which the first is
// not 0.
func NewSpanID() string { return random(8) }

// ClientSpanID is the id of the span that stands for the lab's own client in a trace, 16
// hexadecimal digits, of which the first is not 0. The client exports no such span. The id
// is made of the trace's id, so that whoever sees it as a parent can tell that no span is lost.
func ClientSpanID(traceID string) string {
	h := fnv.New64a()
	h.Write([]byte("lgtm-lab " + traceID))
	b := h.Sum(nil)
	b[0] |= 0x80
	return hex.EncodeToString(b)
}

// Header is the value of the header Traceparent for a request that is sampled and
// whose parent is the given span.
func Header(traceID, spanID string) string { return "00-" + traceID + "-" + spanID + "-01" }

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	b[0] |= 0x80
	return hex.EncodeToString(b)
}
