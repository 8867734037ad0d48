package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

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

// lines returns the log's lines with this message, or all lines if the message is "".
func (b *buffer) lines(t testing.TB, message string) []map[string]any {
	t.Helper()
	b.mu.Lock()
	defer b.mu.Unlock()
	var found []map[string]any
	for line := range strings.Lines(b.b.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		if message == "" || fields["msg"] == message {
			found = append(found, fields)
		}
	}
	return found
}

// harness is the service's handler with a database of its own, and with telemetry that
// the test can read.
type harness struct {
	http.Handler
	store   *sqlite.Store
	ready   *httpx.Readiness
	spans   *tracetest.SpanRecorder
	metrics *sdkmetric.ManualReader
	out     *buffer
	logs    *logRecorder
}

// logRecorder keeps log records, and fails to export each.
type logRecorder struct {
	mu      sync.Mutex
	records []sdklog.Record
}

func (l *logRecorder) OnEmit(_ context.Context, r *sdklog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r.Clone())
	return errors.New("the log is full")
}

func (*logRecorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (*logRecorder) Shutdown(context.Context) error                         { return nil }
func (*logRecorder) ForceFlush(context.Context) error                       { return nil }

// events returns the records with an event name, and forgets all.
func (l *logRecorder) events() (found []sdklog.Record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range l.records {
		if r.EventName() != "" {
			found = append(found, r)
		}
	}
	l.records = nil
	return found
}

func noExporters(t testing.TB) {
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"} {
		t.Setenv(name, "none")
	}
}

func newHarness(t testing.TB) *harness {
	t.Helper()
	noExporters(t)
	l := &harness{spans: tracetest.NewSpanRecorder(), metrics: sdkmetric.NewManualReader(), out: &buffer{}, logs: &logRecorder{}}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		ServiceName:    "backend",
		Stdout:         l.out,
		SpanProcessors: []sdktrace.SpanProcessor{l.spans},
		MetricReaders:  []sdkmetric.Reader{l.metrics},
		LogProcessors:  []sdklog.Processor{l.logs},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	l.store, err = sqlite.Open(t.Context(), sqlite.Config{
		Path: filepath.Join(t.TempDir(), "users.db"), Telemetry: tel, Sample: true, Faults: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.store.Close() })
	l.ready = httpx.NewReadiness(l.store.Ping)
	l.Handler, err = newRouter(config{listenAddr: ":8081"}, tel, l.store, l.ready)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// do serves one request. A body is sent as JSON.
func (l *harness) do(method, target, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	l.ServeHTTP(w, r)
	return w
}

// sums returns the values of the service's own metrics.
func (l *harness) sums(t *testing.T) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.metrics.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, s := range all.ScopeMetrics {
		if s.Scope.Name != scope {
			continue
		}
		for _, m := range s.Metrics {
			if m.Unit != "{user}" {
				t.Errorf("%s has the unit %q", m.Name, m.Unit)
			}
			switch data := m.Data.(type) {
			case metricdata.Sum[int64]:
				found[m.Name] = data.DataPoints[0].Value
			case metricdata.Gauge[int64]:
				found[m.Name] = data.DataPoints[0].Value
			}
		}
	}
	return found
}

// eventually waits until the condition holds.
func eventually(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}
