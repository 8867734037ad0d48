package main

import (
	"net/http"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/trace"
)

// foreign is a caller's trace context and baggage in every format that a service may know.
// The values are those of the formats' own specifications.
func foreign(flags string) []string {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	return []string{
		"Traceparent", "00-" + id + "-" + span + "-" + flags, "Tracestate", "vendor=foreign",
		"Baggage", "lab.fault=error,tenant=foreign",
		"B3", id + "-" + span + "-d", "X-B3-Traceid", id, "X-B3-Spanid", span, "X-B3-Sampled", "1", "X-B3-Flags", "1",
		"Uber-Trace-Id", id + ":" + span + ":0:3", "Uberctx-Tenant", "foreign",
		"X-Amzn-Trace-Id", "Root=1-4bf92f35-77b34da6a3ce929d0e0e4736;Parent=" + span + ";Sampled=1",
		"Ot-Tracer-Traceid", id[16:], "Ot-Tracer-Spanid", span, "Ot-Tracer-Sampled", "true", "Ot-Baggage-Tenant", "foreign",
	}
}

// At a public endpoint a caller's trace context decides nothing: a request has a trace of
// its own, which the sampler of the service samples or not, and which has a link to the
// caller's span. Nothing of the caller's context or baggage reaches the backend.
func TestPublicEndpoint(t *testing.T) {
	const id, span = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	for _, propagators := range []string{"", "tracecontext,baggage,b3multi,jaeger,xray,ottrace", "none"} {
		for _, sampler := range []string{"parentbased_always_on", "parentbased_always_off"} {
			for _, flags := range []string{"00", "01"} {
				t.Run(propagators+" "+sampler+" "+flags, func(t *testing.T) {
					t.Setenv("OTEL_PROPAGATORS", propagators)
					t.Setenv("OTEL_TRACES_SAMPLER", sampler)
					backend := newFakeBackend(t, nil, "Ada")
					site := newSite(t, backend.URL, func(c *config) { c.publicEndpoint = true })
					for _, path := range []string{"/api/users/1", "/"} {
						got := site.do(t, http.MethodGet, path, "", foreign(flags)...)
						if got.StatusCode != http.StatusOK {
							t.Fatalf("%s answered %s: %s", path, got.Status, got.body)
						}
						if own := got.Header.Get("X-Trace-Id"); len(own) != 32 || own == id {
							t.Errorf("%s: X-Trace-Id = %q, want one of the service's own", path, own)
						}
						if unsampled := got.Header.Get("X-Trace-Sampled") == "false"; unsampled != strings.HasSuffix(sampler, "off") {
							t.Errorf("%s: unsampled = %t with the sampler %s and the caller's flags %s", path, unsampled, sampler, flags)
						}
					}
					site.Close()
					checkLinks(t, site, propagators != "none", id, span)
					expectNothingForeign(t, backend, id, span)
				})
			}
		}
	}
}

// checkLinks checks that each recorded trace begins with a server span without a parent,
// and that this span has a link to the caller's.
func checkLinks(t *testing.T, site *site, want bool, id, span string) {
	t.Helper()
	for _, s := range site.spans.Ended() {
		if s.SpanContext().TraceID().String() == id {
			t.Errorf("%s is in the caller's trace", s.Name())
		}
		if s.SpanKind() != trace.SpanKindServer {
			continue
		}
		if s.Parent().IsValid() {
			t.Errorf("%s has the parent %v", s.Name(), s.Parent())
		}
		linked := len(s.Links()) == 1
		if linked != want {
			t.Errorf("%s has the links %v, want one: %t", s.Name(), s.Links(), want)
		}
		if linked {
			to := s.Links()[0].SpanContext
			if !strings.HasSuffix(id, strings.TrimLeft(to.TraceID().String(), "0")) || to.SpanID().String() != span {
				t.Errorf("%s is linked to %s-%s, want the caller's span", s.Name(), to.TraceID(), to.SpanID())
			}
		}
	}
}

// expectNothingForeign fails if a request to the backend has a value of the caller's.
func expectNothingForeign(t *testing.T, backend *fakeBackend, id, span string) {
	t.Helper()
	asked := backend.requests()
	if len(asked) == 0 {
		t.Error("the backend got no request")
	}
	for _, r := range asked {
		for name, values := range r.Header {
			for _, foreign := range []string{id, id[16:], span, "foreign", "lab.fault"} {
				if value := strings.Join(values, " "); strings.Contains(value, foreign) {
					t.Errorf("%s: the backend got %s: %s", r.RequestURI, name, value)
				}
			}
			if flags := r.Header.Get("X-B3-Flags"); flags == "1" {
				t.Errorf("%s: the caller's debug flag reached the backend", r.RequestURI)
			}
		}
	}
}

// A public endpoint causes no faults, and its page offers none.
func TestPublicEndpointWithoutFaults(t *testing.T) {
	for public, want := range map[string]bool{"": false, "true": false, "false": true} {
		env := map[string]string{"LAB_FAULTS": "true", "PUBLIC_ENDPOINT": public}
		if cfg, err := readConfig(func(name string) string { return env[name] }); err != nil || cfg.faults != want {
			t.Errorf("PUBLIC_ENDPOINT=%q: faults = %t, %v; want %t", public, cfg.faults, err, want)
		}
	}
}

// With telemetry off, a public endpoint passes nothing of the caller's context on.
func TestPublicEndpointTelemetryOff(t *testing.T) {
	t.Setenv("OTEL_SDK_DISABLED", "true")
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, func(c *config) { c.publicEndpoint = true })
	for _, path := range []string{"/api/users/1", "/"} {
		site.do(t, http.MethodGet, path, "", foreign("01")...)
	}
	expectNothingForeign(t, backend, "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")
}
