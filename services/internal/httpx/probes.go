package httpx

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"
)

// Health is the liveness probe. It answers {"status":"ok"} as long as the process
// answers at all.
func Health(w http.ResponseWriter, _ *http.Request) error {
	return WriteJSON(w, http.StatusOK, probeStatus{Status: "ok"})
}

type probeStatus struct {
	Status string `json:"status"`
}

// Readiness tells whether a service should receive requests.
type Readiness struct {
	check    func(context.Context) error
	draining atomic.Bool
}

// readyTimeout bounds the check. The kubelet waits one second for a probe unless
// configured otherwise, so the answer must come before that.
const readyTimeout = 800 * time.Millisecond

// NewReadiness returns a Readiness that is ready while check returns nil. check gets a
// context that ends after 800 ms. With a nil check the service is always ready.
func NewReadiness(check func(context.Context) error) *Readiness {
	return &Readiness{check: check}
}

// Drain makes the service not ready, for good. [Run] calls it.
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

// ServeProbes serves GET /health and GET /ready, and nothing else, without TLS on an
// address of its own, until ctx is done; it does nothing if addr is "". It is for a service
// whose other listeners want a client's certificate: a kubelet has none.
func ServeProbes(ctx context.Context, addr string, ready *Readiness) error {
	mux := http.NewServeMux()
	for path, probe := range map[string]HandlerFunc{"/health": Health, "/ready": ready.Probe} {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			if probe(w, r) != nil { // why, the service's own listener says
				http.Error(w, "not ready", http.StatusServiceUnavailable)
			}
		})
	}
	if err := serveBeside(ctx, addr, nil, mux); err != nil {
		return fmt.Errorf("listening for probes (HEALTH_ADDR): %w", err)
	}
	return nil
}
