package telemetry

import (
	"context"
	"os"
	"sync"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/runtime"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// queueSize is how many spans, and how many log records, may wait for their export. New
// ones are dropped when the queue is full. OTEL_BSP_MAX_QUEUE_SIZE and
// OTEL_BLRP_MAX_QUEUE_SIZE override it. The SDK's own size is 2048, two seconds of
// heavy traffic, which a receiver's short outage exceeds. 16384 spans take 20 MB at the
// most.
const queueSize = 16384

func newTracerProvider(ctx context.Context, res *resource.Resource, extra []sdktrace.SpanProcessor) (*sdktrace.TracerProvider, error) {
	exporters, err := spanExporters(ctx)
	if err != nil {
		return nil, err
	}
	opts := []sdktrace.TracerProviderOption{sdktrace.WithResource(res)}
	for _, exporter := range exporters {
		var batch []sdktrace.BatchSpanProcessorOption
		if os.Getenv("OTEL_BSP_MAX_QUEUE_SIZE") == "" {
			batch = append(batch, sdktrace.WithMaxQueueSize(queueSize))
		}
		if os.Getenv("OTEL_BSP_EXPORT_TIMEOUT") == "" {
			batch = append(batch, sdktrace.WithExportTimeout(retryMaxElapsed))
		}
		opts = append(opts, sdktrace.WithBatcher(exporter, batch...))
	}
	for _, p := range extra {
		opts = append(opts, sdktrace.WithSpanProcessor(p))
	}
	return sdktrace.NewTracerProvider(opts...), nil
}

// schedulerMetrics adds the histogram of the scheduler's latency to the metrics that
// autoexport's exporters send; [otlpMetrics] adds it to its own. The histogram comes
// from a producer, not from an instrument. The registration is global, so it happens
// once.
var schedulerMetrics = sync.OnceFunc(func() {
	autoexport.WithFallbackMetricProducer(func(context.Context) (sdkmetric.Producer, error) {
		return runtime.NewProducer(), nil
	})
})

func newMeterProvider(ctx context.Context, res *resource.Resource, extra []sdkmetric.Reader) (*sdkmetric.MeterProvider, error) {
	schedulerMetrics()
	readers, err := metricReaders(ctx)
	if err != nil {
		return nil, err
	}
	opts := []sdkmetric.Option{sdkmetric.WithResource(res)}
	for _, r := range append(readers, extra...) {
		opts = append(opts, sdkmetric.WithReader(r))
	}
	return sdkmetric.NewMeterProvider(opts...), nil
}

func newLoggerProvider(ctx context.Context, res *resource.Resource, extra []sdklog.Processor) (*sdklog.LoggerProvider, error) {
	exporters, err := logExporters(ctx)
	if err != nil {
		return nil, err
	}
	opts := []sdklog.LoggerProviderOption{sdklog.WithResource(res)}
	for _, exporter := range exporters {
		var batch []sdklog.BatchProcessorOption
		if os.Getenv("OTEL_BLRP_MAX_QUEUE_SIZE") == "" {
			batch = append(batch, sdklog.WithMaxQueueSize(queueSize))
		}
		if os.Getenv("OTEL_BLRP_EXPORT_TIMEOUT") == "" {
			batch = append(batch, sdklog.WithExportTimeout(retryMaxElapsed))
		}
		opts = append(opts, sdklog.WithProcessor(sdklog.NewBatchProcessor(exporter, batch...)))
	}
	for _, p := range extra {
		opts = append(opts, sdklog.WithProcessor(p))
	}
	return sdklog.NewLoggerProvider(opts...), nil
}
