package httpx

import (
	"context"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestProbes(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	broken := errors.New("disk full")
	var failure error
	ready := NewReadiness(func(context.Context) error { return failure })
	l.Probe("GET /health", Health)
	l.Probe("GET /ready", ready.Probe)
	steps := []struct {
		method, path string
		do           func()
		status       int
		body, detail string
	}{
		{"GET", "/health", nil, 200, `{"status":"ok"}`, ""},
		{"GET", "/ready", nil, 200, `{"status":"ready"}`, ""},
		{"POST", "/ready", nil, 405, "", "This path does not take the method POST."},
		{"GET", "/ready", func() { failure = broken }, 503, "", "The service is not ready."},
		{"GET", "/ready", func() { failure = nil; ready.Drain() }, 503, "", "The service is stopping."},
		{"GET", "/health", nil, 200, `{"status":"ok"}`, ""},
	}
	for _, step := range steps {
		if step.do != nil {
			step.do()
		}
		res, _ := l.do(httptest.NewRequest(step.method, step.path, nil))
		if res.Code != step.status {
			t.Fatalf("%s %s: status %d, want %d", step.method, step.path, res.Code, step.status)
		}
		if res.Header().Get(HeaderRequestID) == "" || res.Header().Get(HeaderTraceID) != "" {
			t.Errorf("%s: ids are %q and %q", step.path, res.Header().Get(HeaderRequestID), res.Header().Get(HeaderTraceID))
		}
		if step.status == 200 {
			if got := strings.TrimSpace(res.Body.String()); got != step.body {
				t.Errorf("%s: body %s, want %s", step.path, got, step.body)
			}
		} else if p := problem(t, res); p.Detail != step.detail || p.TraceID != "" {
			t.Errorf("%s: problem %+v, want %q without a trace", step.path, p, step.detail)
		}
	}
	if n := len(l.spans.Started()); n != 0 {
		t.Errorf("probes made %d spans", n)
	}
	if points := l.durations(t); len(points) != 0 {
		t.Errorf("probes made the metrics %v", points)
	}
	if lines := l.logged(t, "request"); len(lines) != 0 {
		t.Errorf("probes made access log lines: %v", lines)
	}
	if lines := l.logged(t, "request failed"); len(lines) != 1 || lines[0]["error"] != "disk full" {
		t.Errorf("logged %v, want the one reason that is an error", lines)
	}
}
