package telemetry

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// logRecorder is a log processor that keeps the records.
type logRecorder struct {
	mu      sync.Mutex
	records []sdklog.Record
	down    bool
}

func (l *logRecorder) OnEmit(_ context.Context, r *sdklog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.records = append(l.records, r.Clone())
	return nil
}
func (l *logRecorder) Enabled(context.Context, sdklog.EnabledParameters) bool { return true }
func (l *logRecorder) ForceFlush(context.Context) error                       { return nil }
func (l *logRecorder) Shutdown(context.Context) error                         { l.down = true; return nil }

// noExporters sets the environment so that no telemetry leaves the process.
func noExporters(t *testing.T) {
	for _, name := range exporterVariables {
		t.Setenv(name, "none")
	}
	for _, name := range []string{"OTEL_SERVICE_NAME", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_SDK_DISABLED", "OTEL_PROPAGATORS"} {
		t.Setenv(name, "")
	}
}

func start(t *testing.T, cfg Config) *Telemetry {
	t.Helper()
	tel, err := Start(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Start() = %v", err)
	}
	t.Cleanup(func() {
		if err := tel.Shutdown(context.Background()); err != nil {
			t.Errorf("Shutdown() = %v", err)
		}
	})
	return tel
}

// lines decodes the lines of a JSON log.
func lines(t *testing.T, out *bytes.Buffer) []map[string]any {
	t.Helper()
	var all []map[string]any
	for line := range strings.Lines(out.String()) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatalf("%q is not JSON: %v", line, err)
		}
		all = append(all, fields)
	}
	return all
}

func TestLogLineCarriesTrace(t *testing.T) {
	noExporters(t)
	var out bytes.Buffer
	logs := &logRecorder{}
	tel := start(t, Config{ServiceName: "test", Stdout: &out, LogProcessors: []sdklog.Processor{logs}})
	ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	defer span.End()
	wantTrace, wantSpan := span.SpanContext().TraceID().String(), span.SpanContext().SpanID().String()

	tel.Logger.InfoContext(ctx, "plain", slog.Int("n", 1))
	tel.Logger.With("a", 1).WithGroup("g").With("b", 2).InfoContext(ctx, "grouped", slog.Int("n", 1))
	tel.Logger.InfoContext(context.Background(), "outside")
	tel.Logger.DebugContext(ctx, "too quiet")

	got := lines(t, &out)
	if len(got) != 3 {
		t.Fatalf("%d lines, want 3: %s", len(got), &out)
	}
	for _, line := range got[:2] {
		if line["trace_id"] != wantTrace || line["span_id"] != wantSpan {
			t.Errorf("%s: trace_id %v, span_id %v; want %s, %s", line["msg"], line["trace_id"], line["span_id"], wantTrace, wantSpan)
		}
		if line["service.name"] != "test" {
			t.Errorf("%s: service.name %v", line["msg"], line["service.name"])
		}
	}
	group, _ := got[1]["g"].(map[string]any)
	if got[1]["a"] != 1.0 || group["b"] != 2.0 || group["n"] != 1.0 || len(group) != 2 {
		t.Errorf("the group is %v, beside a = %v", group, got[1]["a"])
	}
	if id, ok := got[2]["trace_id"]; ok {
		t.Errorf("a line outside a span has trace_id %v", id)
	}

	if len(logs.records) != 3 {
		t.Fatalf("%d records exported, want the 3 of the lines", len(logs.records))
	}
	if id := logs.records[0].TraceID().String(); id != wantTrace {
		t.Errorf("exported record has trace %s, want %s", id, wantTrace)
	}
}

func TestResource(t *testing.T) {
	tests := []struct {
		name, serviceName, attributes string
		want                          map[string]string
	}{
		{"default", "", "", map[string]string{"service.name": "test", "service.version": "v1"}},
		{"service name", "other", "", map[string]string{"service.name": "other", "service.version": "v1"}},
		{"attributes", "", "service.name=third,service.version=v2,deployment.environment.name=lab",
			map[string]string{"service.name": "third", "service.version": "v2", "deployment.environment.name": "lab"}},
		{"both", "other", "service.name=third", map[string]string{"service.name": "other"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			noExporters(t)
			t.Setenv("OTEL_SERVICE_NAME", tt.serviceName)
			t.Setenv("OTEL_RESOURCE_ATTRIBUTES", tt.attributes)
			tel := start(t, Config{ServiceName: "test", Version: "v1", Stdout: &bytes.Buffer{}})
			for key, want := range tt.want {
				if v, _ := tel.Resource.Set().Value(attribute.Key(key)); v.AsString() != want {
					t.Errorf("%s = %q, want %q", key, v.AsString(), want)
				}
			}
			if tel.ServiceName != tt.want["service.name"] {
				t.Errorf("ServiceName = %q, want %q", tel.ServiceName, tt.want["service.name"])
			}
			for _, key := range []attribute.Key{"service.instance.id", "telemetry.sdk.name", "host.name"} {
				if !tel.Resource.Set().HasValue(key) {
					t.Errorf("no %s", key)
				}
			}
			if tel.Resource.Set().HasValue("process.command_args") {
				t.Error("the command line, which may hold secrets, is in the resource")
			}
		})
	}
}

func TestDisabled(t *testing.T) {
	noExporters(t)
	t.Setenv("OTEL_SDK_DISABLED", "TRUE")
	var out bytes.Buffer
	spans := tracetest.NewSpanRecorder()
	tel := start(t, Config{ServiceName: "test", Stdout: &out, SpanProcessors: []sdktrace.SpanProcessor{spans}})
	ctx, span := tel.TracerProvider.Tracer("test").Start(t.Context(), "work")
	tel.Logger.InfoContext(ctx, "still logged")
	span.End()
	if n := len(spans.Started()); n != 0 {
		t.Errorf("%d spans, want none", n)
	}
	if !strings.Contains(out.String(), "still logged") {
		t.Errorf("stdout is %q", &out)
	}
	if tel.Propagator == nil || len(tel.Propagator.Fields()) == 0 {
		t.Error("the propagator passes no context on")
	}
}

func TestRuntimeMetrics(t *testing.T) {
	noExporters(t)
	reader := sdkmetric.NewManualReader()
	start(t, Config{ServiceName: "test", Stdout: &bytes.Buffer{}, MetricReaders: []sdkmetric.Reader{reader}})
	var got metricdata.ResourceMetrics
	if err := reader.Collect(t.Context(), &got); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, scope := range got.ScopeMetrics {
		for _, m := range scope.Metrics {
			names[m.Name] = true
		}
	}
	for _, want := range []string{"go.memory.used", "go.goroutine.count"} {
		if !names[want] {
			t.Errorf("no %s among %v", want, names)
		}
	}
}

// failing is a span processor whose flush fails.
type failing struct{ sdktrace.SpanProcessor }

func (failing) Shutdown(context.Context) error { return errors.New("receiver away") }

func TestShutdownTriesAll(t *testing.T) {
	noExporters(t)
	logs := &logRecorder{}
	tel, err := Start(t.Context(), Config{
		ServiceName:    "test",
		Stdout:         &bytes.Buffer{},
		SpanProcessors: []sdktrace.SpanProcessor{failing{tracetest.NewSpanRecorder()}},
		LogProcessors:  []sdklog.Processor{logs},
	})
	if err != nil {
		t.Fatal(err)
	}
	err = tel.Shutdown(t.Context())
	if err == nil || !strings.Contains(err.Error(), "flushing traces: receiver away") {
		t.Errorf("Shutdown() = %v", err)
	}
	if !logs.down {
		t.Error("logs were not flushed after the traces' failure")
	}
	if err := tel.Shutdown(t.Context()); err != nil {
		t.Errorf("second Shutdown() = %v", err)
	}
}

// OpenTelemetry's own problems are written to stdout, are not exported, and do not
// flood the log.
func TestSDKProblems(t *testing.T) {
	noExporters(t)
	var out bytes.Buffer
	logs := &logRecorder{}
	start(t, Config{ServiceName: "test", Stdout: &out, LogProcessors: []sdklog.Processor{logs}})
	for range 100 {
		otel.Handle(errors.New("export failed"))
	}
	got := lines(t, &out)
	if len(got) != 1 || got[0]["msg"] != "telemetry problem" || got[0]["error"] != "export failed" || got[0]["level"] != "WARN" {
		t.Errorf("stdout has %v, want one warning", got)
	}
	if len(logs.records) != 0 {
		t.Errorf("%d records about a failed export are to be exported", len(logs.records))
	}
}

func TestSDKLogHandler(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	h := &sdkLogHandler{next: slog.NewJSONHandler(&out, nil), every: time.Minute, now: func() time.Time { return now }}
	log := slog.New(h)
	for _, step := range []time.Duration{0, time.Second, time.Second, time.Minute, time.Second} {
		now = now.Add(step)
		log.Log(t.Context(), levelSDKWarning, "dropped spans")
		log.Log(t.Context(), slog.Level(-4), "info of the SDK")
	}
	got := lines(t, &out)
	if len(got) != 2 {
		t.Fatalf("%d lines, want 2: %s", len(got), &out)
	}
	if got[1]["suppressed"] != 2.0 || got[1]["level"] != "WARN" {
		t.Errorf("second line is %v, want 2 suppressed", got[1])
	}
}

func TestPropagatorsFromEnvironment(t *testing.T) {
	noExporters(t)
	t.Setenv("OTEL_PROPAGATORS", "b3")
	tel := start(t, Config{ServiceName: "test", Stdout: &bytes.Buffer{}})
	fields := tel.Propagator.Fields()
	if len(fields) == 0 || slices.Contains(fields, "traceparent") {
		t.Errorf("fields are %v, want b3's", fields)
	}
}
