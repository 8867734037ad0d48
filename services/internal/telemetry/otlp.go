package telemetry

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/runtime"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploggrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlplog/otlploghttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetricgrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlpmetric/otlpmetrichttp"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// A failed export is repeated after retryInitialInterval, then after pauses that grow
// up to retryMaxInterval. It is given up after retryMaxElapsed. The exporters' own
// pauses begin at 5 s and grow to 30 s, so that a service that started before its
// collector would send nothing for that long.
const (
	retryInitialInterval = 500 * time.Millisecond
	retryMaxInterval     = 5 * time.Second
	retryMaxElapsed      = time.Minute
)

// retryConfig configures the retries of every exporter. Each exporter package has a
// type of its own for it, with the same fields.
var retryConfig = struct {
	Enabled                                      bool
	InitialInterval, MaxInterval, MaxElapsedTime time.Duration
}{true, retryInitialInterval, retryMaxInterval, retryMaxElapsed}

// reconnect makes gRPC's pauses between two connection attempts as short as those
// between two exports. gRPC's own pauses grow to two minutes.
var reconnect = grpc.WithConnectParams(grpc.ConnectParams{
	Backoff:           backoff.Config{BaseDelay: retryInitialInterval, Multiplier: 1.6, Jitter: 0.2, MaxDelay: retryMaxInterval},
	MinConnectTimeout: retryMaxInterval,
})

// grpcProtocol reports whether a signal (TRACES, METRICS, LOGS) is exported over gRPC.
// The default is OpenTelemetry's, protobuf over HTTP.
func grpcProtocol(signal string) (bool, error) {
	name := "OTEL_EXPORTER_OTLP_" + signal + "_PROTOCOL"
	if os.Getenv(name) == "" {
		name = "OTEL_EXPORTER_OTLP_PROTOCOL"
	}
	switch protocol := cmp.Or(os.Getenv(name), "http/protobuf"); protocol {
	case "grpc":
		return true, nil
	case "http/protobuf":
		return false, nil
	default:
		return false, fmt.Errorf("%s: %q is not grpc or http/protobuf", name, protocol)
	}
}

func otlpSpans(ctx context.Context) (exporter sdktrace.SpanExporter, err error) {
	overGRPC, err := grpcProtocol("TRACES")
	switch {
	case err != nil:
	case overGRPC:
		exporter, err = otlptracegrpc.New(ctx, otlptracegrpc.WithDialOption(reconnect), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig(retryConfig)))
	default:
		exporter, err = otlptracehttp.New(ctx, otlptracehttp.WithRetry(otlptracehttp.RetryConfig(retryConfig)))
	}
	return retryingSpanExporter{exporter}, err
}

func otlpLogs(ctx context.Context) (exporter sdklog.Exporter, err error) {
	overGRPC, err := grpcProtocol("LOGS")
	switch {
	case err != nil:
	case overGRPC:
		exporter, err = otlploggrpc.New(ctx, otlploggrpc.WithDialOption(reconnect), otlploggrpc.WithRetry(otlploggrpc.RetryConfig(retryConfig)))
	default:
		exporter, err = otlploghttp.New(ctx, otlploghttp.WithRetry(otlploghttp.RetryConfig(retryConfig)))
	}
	return retryingLogExporter{exporter}, err
}

func otlpMetrics(ctx context.Context) (sdkmetric.Reader, error) {
	var exporter sdkmetric.Exporter
	overGRPC, err := grpcProtocol("METRICS")
	switch {
	case err != nil:
		return nil, err
	case overGRPC:
		exporter, err = otlpmetricgrpc.New(ctx, otlpmetricgrpc.WithDialOption(reconnect), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig(retryConfig)))
	default:
		exporter, err = otlpmetrichttp.New(ctx, otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig(retryConfig)))
	}
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(runtime.NewProducer())), nil
}
