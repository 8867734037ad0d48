package httpx

import (
	"context"
	"net/http"
	"strconv"
	"time"
)

// HeaderTimeout says how many milliseconds the client still waits for the answer. It is
// the header that Envoy sends to the services behind it; HTTP has no standard one. A
// handler's deadline is then that time, if it is shorter than the router's own: work for
// a client that has gone is lost.
const HeaderTimeout = "X-Envoy-Expected-Rq-Timeout-Ms"

// answerMargin is how much earlier than the client a handler gives up, so that the
// client still gets the reason.
const answerMargin = 50 * time.Millisecond

// SetTimeout tells the server of an outgoing request when ctx ends. It replaces what the
// header holds, and removes it if ctx has no deadline.
func SetTimeout(ctx context.Context, h http.Header) {
	h.Del(HeaderTimeout)
	if deadline, ok := ctx.Deadline(); ok {
		h.Set(HeaderTimeout, strconv.FormatInt(max(time.Until(deadline).Milliseconds(), 1), 10))
	}
}

// timeout returns the deadline of a handler: longest, or less if the client waits less.
func timeout(h http.Header, longest time.Duration) time.Duration {
	text := h.Get(HeaderTimeout)
	if text == "" {
		return longest
	}
	ms, err := strconv.ParseUint(text, 10, 31)
	if err != nil || ms == 0 {
		return longest // Envoy writes 0 for "no timeout"
	}
	wait := time.Duration(ms) * time.Millisecond
	return min(longest, max(wait-answerMargin, wait/2))
}
