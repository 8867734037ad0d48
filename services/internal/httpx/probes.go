package httpx

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"
)

// Health is the liveness probe: the process answers. {"status":"ok"}
func Health(w http.ResponseWriter, _ *http.Request) error {
	return WriteJSON(w, http.StatusOK, probeStatus{Status: "ok"})
}

type probeStatus struct {
	Status string `json:"status"`
}

// Readiness says whether a service should get requests.
type Readiness struct {
	check    func(context.Context) error
	draining atomic.Bool
}

// readyTimeout bounds the check, so that a probe answers before kubelet's
// default of one second gives it up.
const readyTimeout = 800 * time.Millisecond

// NewReadiness returns a readiness that holds while check returns nil; a nil
// check always holds. It gets a context that ends after 800 ms.
func NewReadiness(check func(context.Context) error) *Readiness {
	return &Readiness{check: check}
}

// Drain ends readiness for good. [Run] calls it.
func (rd *Readiness) Drain() { rd.draining.Store(true) }

// Probe answers {"status":"ready"} or a 503 problem.
func (rd *Readiness) Probe(w http.ResponseWriter, r *http.Request) error {
	if rd.draining.Load() {
		return Errorf(http.StatusServiceUnavailable, "The service is stopping.")
	}
	if rd.check != nil {
		ctx, cancel := context.WithTimeout(r.Context(), readyTimeout)
		defer cancel()
		if err := rd.check(ctx); err != nil {
			return &Error{Status: http.StatusServiceUnavailable, Detail: "The service is not ready.", RetryAfter: time.Second, Err: err}
		}
	}
	return WriteJSON(w, http.StatusOK, probeStatus{Status: "ready"})
}
