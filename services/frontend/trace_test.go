package main

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TestTrace checks the chain from the frontend's server span through its client span to
// the traceparent at the backend. It does so for page, form and proxy.
func TestTrace(t *testing.T) {
	for _, test := range []struct {
		method, path string
		server       string
		clients      []string
	}{
		{"GET", "/", "GET /{$}", []string{"GET /stats", "GET /users"}},
		{"POST", "/ui/slow", "POST /ui/slow", []string{"GET /users"}},
		{"POST", "/ui/users/7/delete", "POST /ui/users/{id}/delete", []string{"DELETE /users/{id}"}},
		{"GET", "/api/users/1", "GET /api/users/{id}", []string{"GET /users/{id}"}},
		{"DELETE", "/api/users/1", "DELETE /api/users/{id}", []string{"DELETE /users/{id}"}},
		{"GET", "/api/stats", "GET /api/stats", []string{"GET /stats"}},
	} {
		t.Run(test.method+" "+test.path, func(t *testing.T) {
			backend := newFakeBackend(t, nil, "Ada")
			site := newSite(t, backend.URL, nil)
			const traced = "4bf92f3577b34da6a3ce929d0e0e4736"
			got := site.do(t, test.method, test.path, "", "Traceparent", "00-"+traced+"-00f067aa0ba902b7-01")
			if id := got.Header.Get("X-Trace-Id"); id != traced {
				t.Fatalf("X-Trace-Id = %q", id)
			}
			site.Close() // waits for the server span, which ends after the answer
			server, clients := sortSpans(t, site.spans.Ended())
			if server.Name() != test.server || server.SpanContext().TraceID().String() != traced {
				t.Errorf("server span = %q in %s, want %q", server.Name(), server.SpanContext().TraceID(), test.server)
			}
			var names, told []string
			for _, span := range clients {
				names = append(names, span.Name())
				told = append(told, "00-"+traced+"-"+span.SpanContext().SpanID().String()+"-01")
				if span.Parent().SpanID() != server.SpanContext().SpanID() {
					t.Errorf("%s is no child of the server span", span.Name())
				}
				if template := attributeOf(span.Attributes(), "url.template"); !strings.HasSuffix(span.Name(), " "+template) || template == "" {
					t.Errorf("%s: url.template = %q", span.Name(), template)
				}
			}
			slices.Sort(names)
			if !slices.Equal(names, test.clients) {
				t.Errorf("client spans = %q, want %q", names, test.clients)
			}
			for _, r := range backend.requests() {
				if !slices.Contains(told, r.Header.Get("Traceparent")) {
					t.Errorf("%s: traceparent %q is of none of the client spans", r.RequestURI, r.Header.Get("Traceparent"))
				}
			}
		})
	}
}

func sortSpans(t *testing.T, spans []sdktrace.ReadOnlySpan) (server sdktrace.ReadOnlySpan, clients []sdktrace.ReadOnlySpan) {
	t.Helper()
	for _, span := range spans {
		switch span.SpanKind() {
		case trace.SpanKindServer:
			server = span
		case trace.SpanKindClient:
			clients = append(clients, span)
		default:
			t.Errorf("unexpected span %s of kind %s", span.Name(), span.SpanKind())
		}
	}
	if server == nil {
		t.Fatal("no server span")
	}
	return server, clients
}

func attributeOf(attributes []attribute.KeyValue, key attribute.Key) string {
	for _, kv := range attributes {
		if kv.Key == key {
			return kv.Value.String()
		}
	}
	return ""
}

// The backend gets the trace context and the baggage of this request. Malformed headers
// of the caller are not passed on.
func TestStaleContextIsDropped(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, nil)
	for _, path := range []string{"/api/users/1", "/"} {
		site.do(t, "GET", path, "", "Traceparent", "00-nonsense", "Tracestate", "vendor=stale", "Baggage", "broken baggage")
	}
	for _, r := range backend.requests() {
		if parent := r.Header.Get("Traceparent"); parent == "00-nonsense" || parent == "" {
			t.Errorf("%s: traceparent = %q", r.RequestURI, parent)
		}
		for _, name := range []string{"Tracestate", "Baggage"} {
			if got := r.Header.Get(name); got != "" {
				t.Errorf("%s: %s = %q", r.RequestURI, name, got)
			}
		}
	}
}

// For a trace that is not sampled, the page shows the id without a link. So does the
// page after a form's redirect. The script learns it from a header.
func TestUnsampledTrace(t *testing.T) {
	const id = "4bf92f3577b34da6a3ce929d0e0e4736"
	site := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil)
	for flags, unsampled := range map[string]bool{"00": true, "01": false} {
		parent := "00-" + id + "-00f067aa0ba902b7-" + flags
		form := site.post(t, "/ui/slow", nil, "Traceparent", parent)
		for name, got := range map[string]answer{
			"page":     site.do(t, "GET", "/", "", "Traceparent", parent),
			"redirect": site.do(t, "GET", form.Header.Get("Location"), ""),
		} {
			got.expect(t, `<code id="trace-id">`+id+`</code>`)
			if linked := strings.Contains(got.body, "https://traces.example/t/"+id); linked == unsampled {
				t.Errorf("%s with flags %s: linked = %t", name, flags, linked)
			}
			if hint := !strings.Contains(got.body, `id="trace-unsampled" class="hint" hidden`); hint != unsampled {
				t.Errorf("%s with flags %s: hint = %t", name, flags, hint)
			}
		}
		proxied := site.do(t, "GET", "/api/users/1", "", "Traceparent", parent)
		if says := proxied.Header.Get("X-Trace-Sampled"); (says == "false") != unsampled {
			t.Errorf("proxied with flags %s: X-Trace-Sampled = %q", flags, says)
		}
	}
}

// An error has its error.type on the server side and on the client side of the
// frontend, whether a handler fails, a page shows the error, or the proxy passes it on.
func TestErrorType(t *testing.T) {
	broken := func(w http.ResponseWriter, _ *http.Request) { writeFakeProblem(w, http.StatusInternalServerError, "") }
	for _, test := range []struct {
		path, backend  string
		server, client string // error.type
	}{
		{"/api/stats", newFakeBackend(t, broken).URL, "500", "500"},
		{"/", newFakeBackend(t, broken).URL, "500", "500"},
		{"/api/users/77", newFakeBackend(t, nil).URL, "", "404"},
		{"/api/stats", deadAddress(t), "*net.OpError", "net.OpError"},
		{"/", deadAddress(t), "502", "net.OpError"},
		{"/api/stats", newFakeBackend(t, breakOff).URL, "*errors.errorString", ""},
	} {
		t.Run(test.path, func(t *testing.T) {
			site := newSite(t, test.backend, nil)
			got := site.do(t, "GET", test.path, "")
			site.Close()
			server, _ := sortSpans(t, site.spans.Ended())
			if failed := attributeOf(server.Attributes(), "error.type"); failed != test.server {
				t.Errorf("%d: server span has error.type %q, want %q", got.StatusCode, failed, test.server)
			}
			points := durations(t, site)
			for name, want := range map[string]string{"http.server.request.duration": test.server, "http.client.request.duration": test.client} {
				for _, p := range points[name] {
					if failed, _ := p.Attributes.Value("error.type"); failed.AsString() != want {
						t.Errorf("%d: %s has error.type %q, want %q", got.StatusCode, name, failed.AsString(), want)
					}
				}
				if len(points[name]) == 0 {
					t.Errorf("no %s", name)
				}
			}
		})
	}
}

// durations returns the points of all histograms, by name.
func durations(t *testing.T, site *site) map[string][]metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var collected metricdata.ResourceMetrics
	if err := site.meters.Collect(t.Context(), &collected); err != nil {
		t.Fatal(err)
	}
	points := map[string][]metricdata.HistogramDataPoint[float64]{}
	for _, scope := range collected.ScopeMetrics {
		for _, m := range scope.Metrics {
			if h, ok := m.Data.(metricdata.Histogram[float64]); ok {
				points[m.Name] = append(points[m.Name], h.DataPoints...)
			}
		}
	}
	return points
}

// TestMetricsHaveFewSeries checks that different ids in the path do not lead to
// different series.
func TestMetricsHaveFewSeries(t *testing.T) {
	site := newSite(t, newFakeBackend(t, nil, "Ada").URL, nil)
	for _, id := range []string{"1", "2", "3", "abc", "x-1"} {
		site.do(t, http.MethodDelete, "/api/users/"+id, "")
	}
	site.Close()
	points := durations(t, site)
	for name, key := range map[string]attribute.Key{
		"http.client.request.duration": "url.template",
		"http.server.request.duration": "http.route",
	} {
		if len(points[name]) != 1 || points[name][0].Count != 5 {
			t.Fatalf("%s has %d series: %+v", name, len(points[name]), points[name])
		}
		value, _ := points[name][0].Attributes.Value(key)
		if !strings.HasSuffix(value.AsString(), "/users/{id}") {
			t.Errorf("%s: %s = %q", name, key, value.AsString())
		}
	}
}
