package telemetry

import (
	"cmp"
	"context"
	"crypto/tls"
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
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"
)

// A failed export is repeated after retryInitialInterval, then after pauses that grow
// up to retryMaxInterval. It is given up after retryMaxElapsed: what bounds the memory is the
// queue behind it, which has room for as long under light load. The exporters' own
// pauses begin at 5 s and grow to 30 s, so that a service that started before its
// collector would send nothing for that long.
const (
	retryInitialInterval = 500 * time.Millisecond
	retryMaxInterval     = 5 * time.Second
	retryMaxElapsed      = 10 * time.Minute
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

// notAcknowledged is how long a connection lives on that delivers nothing. When the collector's
// machine or pod is gone without a word, as after a power loss or a rollout, the kernel alone
// would try for a quarter of an hour, and each export over that connection would fail.
// Tests have less.
var notAcknowledged = 10 * time.Second

// dialOptions are those of every gRPC exporter. On Linux, gRPC lets the kernel end a connection
// on which data was not acknowledged for the keepalive's timeout. The keepalive's own ping comes
// after more than the 5 minutes that a gRPC server wants between two pings unless told otherwise.
func dialOptions() []grpc.DialOption {
	return []grpc.DialOption{reconnect, grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: 6 * time.Minute, Timeout: notAcknowledged})}
}

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

// protocol is how a signal (TRACES, METRICS, LOGS) is exported: over gRPC or HTTP, and with
// TLS settings of this package's own if there are any.
func protocol(signal string) (overGRPC bool, config *tls.Config, err error) {
	if overGRPC, err = grpcProtocol(signal); err == nil {
		config, err = exporterTLS(signal)
	}
	return overGRPC, config, err
}

func otlpSpans(ctx context.Context) (exporter sdktrace.SpanExporter, err error) {
	overGRPC, config, err := protocol("TRACES")
	switch {
	case err != nil:
	case overGRPC:
		options := []otlptracegrpc.Option{otlptracegrpc.WithDialOption(dialOptions()...), otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlptracegrpc.WithTLSCredentials(credentials.NewTLS(config)))
		}
		exporter, err = otlptracegrpc.New(ctx, options...)
	default:
		options := []otlptracehttp.Option{otlptracehttp.WithRetry(otlptracehttp.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlptracehttp.WithTLSClientConfig(config))
		}
		exporter, err = otlptracehttp.New(ctx, options...)
	}
	return retryingSpanExporter{exporter}, err
}

func otlpLogs(ctx context.Context) (exporter sdklog.Exporter, err error) {
	overGRPC, config, err := protocol("LOGS")
	switch {
	case err != nil:
	case overGRPC:
		options := []otlploggrpc.Option{otlploggrpc.WithDialOption(dialOptions()...), otlploggrpc.WithRetry(otlploggrpc.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlploggrpc.WithTLSCredentials(credentials.NewTLS(config)))
		}
		exporter, err = otlploggrpc.New(ctx, options...)
	default:
		options := []otlploghttp.Option{otlploghttp.WithRetry(otlploghttp.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlploghttp.WithTLSClientConfig(config))
		}
		exporter, err = otlploghttp.New(ctx, options...)
	}
	return retryingLogExporter{exporter}, err
}

func otlpMetrics(ctx context.Context) (sdkmetric.Reader, error) {
	var exporter sdkmetric.Exporter
	overGRPC, config, err := protocol("METRICS")
	switch {
	case err != nil:
	case overGRPC:
		options := []otlpmetricgrpc.Option{otlpmetricgrpc.WithDialOption(dialOptions()...), otlpmetricgrpc.WithRetry(otlpmetricgrpc.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlpmetricgrpc.WithTLSCredentials(credentials.NewTLS(config)))
		}
		exporter, err = otlpmetricgrpc.New(ctx, options...)
	default:
		options := []otlpmetrichttp.Option{otlpmetrichttp.WithRetry(otlpmetrichttp.RetryConfig(retryConfig))}
		if config != nil {
			options = append(options, otlpmetrichttp.WithTLSClientConfig(config))
		}
		exporter, err = otlpmetrichttp.New(ctx, options...)
	}
	if err != nil {
		return nil, err
	}
	return sdkmetric.NewPeriodicReader(exporter, sdkmetric.WithProducer(runtime.NewProducer())), nil
}
