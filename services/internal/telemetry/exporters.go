package telemetry

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// exporterNames reads OTEL_TRACES_EXPORTER and its like: names separated by commas, in
// upper or lower case. If the variable is empty, the exporter is otlp. A repeated name
// counts once, and "none" beside other names is ignored.
func exporterNames(variable string) []string {
	var names []string
	for name := range strings.SplitSeq(os.Getenv(variable), ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		if name != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return []string{"otlp"}
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "none" })
}

// exporters creates the exporters that the variable names. OTLP exporters are this
// package's own, whether "otlp" is the default or written out. autoexport creates all
// others.
func exporters[T any](ctx context.Context, variable string, otlp, other func(context.Context) (T, error)) ([]T, error) {
	var all []T
	for _, name := range exporterNames(variable) {
		var made T
		var err error
		if name == "otlp" {
			made, err = otlp(ctx)
		} else {
			made, err = withEnv(ctx, variable, name, other)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %q: %w", variable, name, err)
		}
		all = append(all, made)
	}
	return all, nil
}

// withEnv calls fn while the variable has the value. autoexport reads the exporter's
// name from the environment, and does not understand a list there.
func withEnv[T any](ctx context.Context, variable, value string, fn func(context.Context) (T, error)) (made T, err error) {
	before := os.Getenv(variable)
	if before == value {
		return fn(ctx)
	}
	if err := os.Setenv(variable, value); err != nil {
		return made, err
	}
	defer func() { _ = os.Setenv(variable, before) }()
	return fn(ctx)
}

func spanExporters(ctx context.Context) ([]sdktrace.SpanExporter, error) {
	return exporters(ctx, "OTEL_TRACES_EXPORTER", otlpSpans, func(ctx context.Context) (sdktrace.SpanExporter, error) {
		return autoexport.NewSpanExporter(ctx)
	})
}

func metricReaders(ctx context.Context) ([]sdkmetric.Reader, error) {
	return exporters(ctx, "OTEL_METRICS_EXPORTER", otlpMetrics, func(ctx context.Context) (sdkmetric.Reader, error) {
		return autoexport.NewMetricReader(ctx)
	})
}

func logExporters(ctx context.Context) ([]sdklog.Exporter, error) {
	return exporters(ctx, "OTEL_LOGS_EXPORTER", otlpLogs, func(ctx context.Context) (sdklog.Exporter, error) {
		return autoexport.NewLogExporter(ctx)
	})
}
