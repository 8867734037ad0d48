// Package telemetry sets OpenTelemetry up for one service: traces, metrics and
// logs, configured by the standard OTEL_* environment variables and by nothing
// else.
//
// OTEL_{TRACES,METRICS,LOGS}_EXPORTER name the exporters: otlp (the default),
// console, prometheus (metrics only) or none, or several of them with commas
// between. Tests set none. OTEL_SDK_DISABLED=true switches all
// three signals off; the context of incoming requests is still passed on, and
// log lines on stdout stay.
//
// The SDK reads its variables from the process environment, so [Config] has no
// getenv.
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

// scope names the telemetry that this package itself makes: the log records.
const scope = "github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"

// Config is what [Start] needs to know. Only ServiceName is required.
type Config struct {
	// ServiceName is service.name unless OTEL_SERVICE_NAME or
	// OTEL_RESOURCE_ATTRIBUTES says otherwise.
	ServiceName string
	// Version is service.version; empty means [Version].
	Version string
	// Stdout receives the log as JSON, one object a line; nil means os.Stdout.
	// Writes are not concurrent.
	Stdout io.Writer
	// Level is the least level that is logged, on stdout and over OTLP; nil
	// means info.
	Level slog.Leveler

	// SpanProcessors, MetricReaders and LogProcessors are added to what the
	// environment configures. They are how a test reads what it would export.
	SpanProcessors []sdktrace.SpanProcessor
	MetricReaders  []sdkmetric.Reader
	LogProcessors  []sdklog.Processor
}

// Telemetry is a running set-up. Its providers are never nil: they do nothing
// where telemetry is off.
type Telemetry struct {
	// Logger writes JSON to stdout, with trace_id and span_id where there is a
	// span, and the same records to the logs exporter.
	Logger *slog.Logger
	// TracerProvider makes the tracers.
	TracerProvider trace.TracerProvider
	// MeterProvider makes the meters.
	MeterProvider metric.MeterProvider
	// LoggerProvider makes OpenTelemetry's loggers; use Logger instead.
	LoggerProvider log.LoggerProvider
	// Propagator is tracecontext and baggage, or what OTEL_PROPAGATORS names.
	Propagator propagation.TextMapPropagator
	// Resource says who sends; empty where the SDK is disabled.
	Resource *resource.Resource
	// ServiceName is the effective service.name.
	ServiceName string
	// Version is the effective service.version.
	Version string

	mu       sync.Mutex // guards shutdown
	shutdown []func(context.Context) error
}

// Start sets telemetry up, makes its providers the otel package's globals, for
// libraries that know no others, and returns it. The log package's and slog's
// defaults stay what they are: log through Logger. Start does not wait for a receiver: one that is away costs log lines,
// not the start. The caller must call [Telemetry.Shutdown].
//
// It fails if an OTEL_* variable names an exporter or a protocol that does not
// exist.
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
	t.Logger = slog.New(stdout)
	otel.SetTextMapPropagator(t.Propagator)
	logSDKProblems(stdout)
	if Disabled() {
		t.Logger.InfoContext(ctx, "telemetry is off", slog.String("reason", "OTEL_SDK_DISABLED"))
		t.install()
		return t, nil
	}
	if resErr != nil {
		// A detector that does not work here (no /proc, no machine id) leaves
		// its attributes out; that is worth a line and no more.
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

// startSignals makes the three providers and the runtime metrics.
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
	t.LoggerProvider = loggers
	t.shutdown = append(t.shutdown, named("logs", loggers.Shutdown))

	if err := runtime.Start(runtime.WithMeterProvider(meters)); err != nil {
		return fmt.Errorf("setting up runtime metrics: %w", err)
	}
	return nil
}

// install makes t what code without a *Telemetry gets from the otel package.
func (t *Telemetry) install() {
	otel.SetTracerProvider(t.TracerProvider)
	otel.SetMeterProvider(t.MeterProvider)
	otel.SetLoggerProvider(t.LoggerProvider)
}

// Shutdown flushes and stops traces, metrics and logs within ctx, all at once:
// a receiver that is away for one signal does not use up the others' time. The
// errors are joined. Call it last: what is recorded afterwards is lost. A second
// call waits for the first and does nothing.
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

// Disabled reports whether OTEL_SDK_DISABLED switches telemetry off: the value
// "true", in any case. Neither the SDK nor its exporters look at it.
func Disabled() bool {
	return strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true")
}

// named adds to stop's error which signal was lost.
func named(signal string, stop func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := stop(ctx); err != nil {
			return fmt.Errorf("flushing %s: %w", signal, err)
		}
		return nil
	}
}
