package main

import (
	"net/http"
	"testing"
)

// With telemetry off the frontend records nothing, and still passes the caller's trace
// context and baggage on. With OTEL_PROPAGATORS=none they are headers like others, which a
// proxy leaves alone.
func TestTelemetryOff(t *testing.T) {
	const caller, baggage = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "lab.fault=delay:1ms"
	for _, propagators := range []string{"", "none"} {
		t.Run("OTEL_PROPAGATORS="+propagators, func(t *testing.T) {
			t.Setenv("OTEL_SDK_DISABLED", "true")
			t.Setenv("OTEL_PROPAGATORS", propagators)
			backend := newFakeBackend(t, nil, "Ada")
			site := newSite(t, backend.URL, nil)
			got := site.do(t, "GET", "/api/users/1", "", "Traceparent", caller, "Baggage", baggage)
			if got.StatusCode != http.StatusOK || got.Header.Get("X-Request-Id") == "" {
				t.Fatalf("the answer is %s with the headers %v", got.Status, got.Header)
			}
			for _, r := range backend.requests() {
				if told := [2]string{r.Header.Get("Traceparent"), r.Header.Get("Baggage")}; told != [2]string{caller, baggage} {
					t.Errorf("%s: traceparent and baggage are %q, want the caller's", r.RequestURI, told)
				}
			}
			if n := len(backend.requests()); n != 1 {
				t.Errorf("the backend got %d requests, want 1", n)
			}
			if n := len(site.spans.Started()); n != 0 {
				t.Errorf("%d spans, want none", n)
			}
		})
	}
}
