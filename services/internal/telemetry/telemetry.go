// Package telemetry sets up OpenTelemetry for one service: traces, metrics and logs.
// Only the standard OTEL_* environment variables configure it.
//
// OTEL_{TRACES,METRICS,LOGS}_EXPORTER name the exporters: otlp (the default), console,
// prometheus (metrics only) or none, or a list of them with commas. Tests set none.
// OTEL_SDK_DISABLED=true switches all three signals off. The service then still passes
// the trace context of its requests on, and still writes its log to stdout.
//
// [Config] has no getenv because the SDK reads its variables from the process
// environment.
package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/contrib/propagators/autoprop"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/log"
	lognoop "go.opentelemetry.io/otel/log/noop"
	"go.opentelemetry.io/otel/metric"
	metricnoop "go.opentelemetry.io/otel/metric/noop"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope is the instrumentation scope of the log records.
const scope = "github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"

// Config configures [Start]. Only ServiceName is required.
type Config struct {
	// ServiceName is service.name unless OTEL_SERVICE_NAME or
	// OTEL_RESOURCE_ATTRIBUTES says otherwise.
	ServiceName string
	// Version is service.version; empty means [Version].
	Version string
	// Stdout receives the log as JSON, one object per line; nil means os.Stdout. Start
	// does not write to it concurrently.
	Stdout io.Writer
	// Level is the lowest level that is logged, on stdout and over OTLP; nil means
	// info.
	Level slog.Leveler

	// SpanProcessors, MetricReaders and LogProcessors come in addition to those that
	// the environment configures. Tests read the telemetry with them.
	SpanProcessors []sdktrace.SpanProcessor
	MetricReaders  []sdkmetric.Reader
	LogProcessors  []sdklog.Processor
}

// Telemetry is OpenTelemetry, set up and running. Its providers are never nil; they do
// nothing if telemetry is off.
type Telemetry struct {
	// Logger writes JSON to stdout, and sends the same records to the logs exporter.
	// Each record has trace_id and span_id if its context has a span.
	Logger *slog.Logger
	// TracerProvider creates tracers.
	TracerProvider trace.TracerProvider
	// MeterProvider creates meters.
	MeterProvider metric.MeterProvider
	// LoggerProvider creates OpenTelemetry's loggers. Use Logger instead.
	LoggerProvider log.LoggerProvider
	// Propagator propagates tracecontext and baggage, or what OTEL_PROPAGATORS names.
	Propagator propagation.TextMapPropagator
	// Resource describes the sender. It is empty if the SDK is disabled.
	Resource *resource.Resource
	// ServiceName is the effective service.name.
	ServiceName string
	// Version is the effective service.version.
	Version string
	// Off says that OTEL_SDK_DISABLED has switched telemetry off: what would call the
	// providers for each request can then be left out.
	Off bool

	stdout slog.Handler // of Event
	events log.Logger   // of Event

	mu       sync.Mutex // guards shutdown
	shutdown []func(context.Context) error
}

// Start sets up telemetry and returns it. It also makes the providers the otel
// package's global ones, which libraries use. It leaves the defaults of log and slog
// alone, so log with Logger. Start does not wait for a receiver; a missing one costs
// warnings in the log. The caller must call [Telemetry.Shutdown].
//
// Start fails if an OTEL_* variable names an unknown exporter or protocol.
func Start(ctx context.Context, cfg Config) (_ *Telemetry, err error) {
	if cfg.Version == "" {
		cfg.Version = Version()
	}
	if cfg.Stdout == nil {
		cfg.Stdout = os.Stdout
	}
	if cfg.Level == nil {
		cfg.Level = slog.LevelInfo
	}
	t := &Telemetry{
		TracerProvider: tracenoop.NewTracerProvider(),
		MeterProvider:  metricnoop.NewMeterProvider(),
		LoggerProvider: lognoop.NewLoggerProvider(),
		Propagator:     autoprop.NewTextMapPropagator(),
		Resource:       resource.Empty(),
		ServiceName:    cfg.ServiceName,
		Version:        cfg.Version,
	}
	res, resErr := newResource(ctx, cfg)
	t.ServiceName = serviceName(res, cfg.ServiceName)
	stdout := newStdoutHandler(cfg.Stdout, cfg.Level, t.ServiceName)
	t.Logger, t.stdout, t.events = slog.New(stdout), stdout, t.LoggerProvider.Logger(scope)
	otel.SetTextMapPropagator(t.Propagator)
	logSDKProblems(stdout)
	if Disabled() {
		t.Off = true
		t.Logger.InfoContext(ctx, "telemetry is off", slog.String("reason", "OTEL_SDK_DISABLED"))
		t.install()
		return t, nil
	}
	if resErr != nil {
		// A detector that does not work here, for lack of /proc or of a machine id,
		// leaves its attributes out. That is no reason to fail.
		t.Logger.WarnContext(ctx, "resource is incomplete", slog.Any("error", resErr))
	}
	t.Resource = res
	defer func() {
		if err != nil {
			err = errors.Join(err, t.Shutdown(ctx))
		}
	}()
	if err := t.startSignals(ctx, cfg); err != nil {
		return nil, err
	}
	t.Logger = slog.New(slog.NewMultiHandler(stdout, levelHandler{
		level:   cfg.Level,
		Handler: otelslog.NewHandler(scope, otelslog.WithLoggerProvider(t.LoggerProvider)),
	}))
	t.install()
	return t, nil
}

// startSignals creates the three providers and starts the runtime metrics.
func (t *Telemetry) startSignals(ctx context.Context, cfg Config) error {
	tracers, err := newTracerProvider(ctx, t.Resource, cfg.SpanProcessors)
	if err != nil {
		return fmt.Errorf("setting up traces: %w", err)
	}
	t.TracerProvider = tracers
	t.shutdown = append(t.shutdown, named("traces", tracers.Shutdown))

	meters, err := newMeterProvider(ctx, t.Resource, cfg.MetricReaders)
	if err != nil {
		return fmt.Errorf("setting up metrics: %w", err)
	}
	t.MeterProvider = meters
	t.shutdown = append(t.shutdown, named("metrics", meters.Shutdown))

	loggers, err := newLoggerProvider(ctx, t.Resource, cfg.LogProcessors)
	if err != nil {
		return fmt.Errorf("setting up logs: %w", err)
	}
	t.LoggerProvider, t.events = loggers, loggers.Logger(scope)
	t.shutdown = append(t.shutdown, named("logs", loggers.Shutdown))

	if err := runtime.Start(runtime.WithMeterProvider(meters)); err != nil {
		return fmt.Errorf("setting up runtime metrics: %w", err)
	}
	return nil
}

// install makes t's providers the otel package's global ones.
func (t *Telemetry) install() {
	otel.SetTracerProvider(t.TracerProvider)
	otel.SetMeterProvider(t.MeterProvider)
	otel.SetLoggerProvider(t.LoggerProvider)
}

// Shutdown flushes and stops traces, metrics and logs before ctx ends. It does so
// concurrently, so that a signal whose receiver is away does not use up the time of the
// others. The errors are joined. Call Shutdown last: telemetry that is recorded
// afterwards is lost. A second call waits for the first one and does nothing else.
func (t *Telemetry) Shutdown(ctx context.Context) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	errs := make([]error, len(t.shutdown))
	var all sync.WaitGroup
	for i, stop := range t.shutdown {
		all.Go(func() { errs[i] = stop(ctx) })
	}
	all.Wait()
	t.shutdown = nil
	return errors.Join(errs...)
}

// Disabled reports whether OTEL_SDK_DISABLED switches telemetry off: whether its value
// is "true", in upper or lower case. Neither the SDK nor its exporters read this
// variable.
func Disabled() bool {
	return strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true")
}

// named adds the name of the signal to stop's error.
func named(signal string, stop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := stop(ctx); err != nil {
			return fmt.Errorf("flushing %s: %w", signal, err)
		}
		return nil
	}
}
