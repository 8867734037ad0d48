package httpx

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// harness is a router whose telemetry the test can read.
type harness struct {
	*Router
	tel    *telemetry.Telemetry
	spans  *tracetest.SpanRecorder
	reader *sdkmetric.ManualReader
	out    *buffer
}

// buffer is a bytes.Buffer that is safe for concurrent use.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func newHarness(t *testing.T, cfg RouterConfig) *harness {
	t.Helper()
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"} {
		t.Setenv(name, "none")
	}
	l := &harness{spans: tracetest.NewSpanRecorder(), reader: sdkmetric.NewManualReader(), out: &buffer{}}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		ServiceName:    "test",
		Stdout:         l.out,
		SpanProcessors: []sdktrace.SpanProcessor{l.spans},
		MetricReaders:  []sdkmetric.Reader{l.reader},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	l.tel = tel
	cfg.Telemetry = tel
	if cfg.ServerName == "" {
		cfg.ServerName = "test:80"
	}
	l.Router = NewRouter(cfg)
	return l
}

// do serves r. aborted tells whether a server would have cut the connection.
func (l *harness) do(r *http.Request) (res *httptest.ResponseRecorder, aborted bool) {
	res = httptest.NewRecorder()
	defer func() {
		if p := recover(); p != nil {
			if err, ok := p.(error); !ok || !errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			aborted = true
		}
	}()
	l.ServeHTTP(res, r)
	return res, false
}

// logged returns the log's lines with this message.
func (l *harness) logged(t *testing.T, message string) []map[string]any {
	t.Helper()
	var found []map[string]any
	for line := range strings.Lines(l.out.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		if fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// durations returns the points of http.server.request.duration.
func (l *harness) durations(t *testing.T) []metricdata.HistogramDataPoint[float64] {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "http.server.request.duration" {
				return m.Data.(metricdata.Histogram[float64]).DataPoints
			}
		}
	}
	return nil
}

// problem decodes a problem document, and refuses unknown members.
func problem(t *testing.T, res *httptest.ResponseRecorder) Problem {
	t.Helper()
	if got := res.Header().Get("Content-Type"); got != ProblemContentType {
		t.Errorf("Content-Type is %q, want %q", got, ProblemContentType)
	}
	dec := json.NewDecoder(res.Body)
	dec.DisallowUnknownFields()
	var p Problem
	if err := dec.Decode(&p); err != nil {
		t.Fatalf("the body is no problem document: %v", err)
	}
	return p
}
