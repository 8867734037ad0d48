package httpx

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
	"time"
)

// DefaultMaxInFlight is how many requests a router works on at once. It bounds how long
// a request takes when the machine is short of processors: a service that answers 300
// requests per second then takes a third of a second for each. It leaves room for
// requests that only wait, such as those with an injected delay.
const DefaultMaxInFlight = 128

// MaxInFlight reads MAX_REQUESTS_IN_FLIGHT, a whole number from 1; or is what it is if
// the variable is not set.
func MaxInFlight(getenv func(string) string, or int) (int, error) {
	text := getenv("MAX_REQUESTS_IN_FLIGHT")
	if text == "" {
		return or, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("MAX_REQUESTS_IN_FLIGHT must be a whole number from 1, not %q", text)
	}
	return n, nil
}

const (
	// queueFactor is how many requests may wait for each one in flight.
	queueFactor = 4
	// maxWait is how long a request waits in a burst. A burst is over by then.
	maxWait = 250 * time.Millisecond
	// standingWait is how long a request waits once others have been waiting for
	// maxWait without a break. The queue is then no burst but too much work, and a
	// longer wait would only make each answer later.
	standingWait = 20 * time.Millisecond
	// retryAfter is what a rejected client is told to wait.
	retryAfter = time.Second
)

// rejection is why a request was not admitted. Its text is the error.type of the
// request in the metrics.
type rejection string

const (
	rejectedQueueFull    rejection = "queue_full"    // too many wait already
	rejectedQueueTimeout rejection = "queue_timeout" // no request ended in time
	rejectedDeadline     rejection = "deadline"      // the request's own deadline passed while it waited
	rejectedGone         rejection = "client_gone"   // the client disconnected while the request waited
)

func (r rejection) Error() string { return "not admitted: " + string(r) }

// ErrorType is the error.type attribute.
func (r rejection) ErrorType() string { return string(r) }

// admission bounds the requests in flight. Requests over the bound wait for a short time,
// first come, first served, and are then rejected. The wait follows CoDel (RFC 8289) as
// servers apply it: long enough for a burst, short as soon as the queue stands.
type admission struct {
	slots   chan struct{} // holds an element for each request in flight
	waiting atomic.Int64
	since   atomic.Int64 // when the queue was empty last, in nanoseconds after began
	began   time.Time
}

func newAdmission(maxInFlight int) *admission {
	return &admission{slots: make(chan struct{}, maxInFlight), began: time.Now()}
}

// enter takes a slot, and returns "" if there was one in time. The caller must then call
// leave. A free slot is taken even if ctx has ended: the handler knows better what to
// answer.
func (a *admission) enter(ctx context.Context) rejection {
	select {
	case a.slots <- struct{}{}:
		return ""
	default:
	}
	n := a.waiting.Add(1)
	defer a.waiting.Add(-1)
	if n > int64(queueFactor*cap(a.slots)) {
		return rejectedQueueFull
	}
	timer := time.NewTimer(a.patience(n))
	defer timer.Stop()
	select {
	case a.slots <- struct{}{}:
		return ""
	case <-timer.C:
		return rejectedQueueTimeout
	case <-ctx.Done():
		if errors.Is(context.Cause(ctx), errDeadline) {
			return rejectedDeadline
		}
		return rejectedGone
	}
}

// leave gives the slot to the request that has waited longest.
func (a *admission) leave() { <-a.slots }

// patience is how long the n-th request in the queue waits.
func (a *admission) patience(n int64) time.Duration {
	now := int64(time.Since(a.began))
	if n == 1 {
		a.since.Store(now)
		return maxWait
	}
	if time.Duration(now-a.since.Load()) > maxWait {
		return standingWait
	}
	return maxWait
}
