package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/trace"
)

// setupOTelSDK starts the SDK. The exporters follow the OTEL_* variables:
// https://pkg.go.dev/go.opentelemetry.io/contrib/exporters/autoexport
func setupOTelSDK(ctx context.Context) (shutdown func(context.Context) error, err error) {
	var all []func(context.Context) error
	shutdown = func(ctx context.Context) error {
		var err error
		for _, end := range all {
			err = errors.Join(err, end(ctx))
		}
		all = nil
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, shutdown(ctx))
		}
	}()

	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))

	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return shutdown, err
	}
	tracers := trace.NewTracerProvider(trace.WithBatcher(spans))
	all = append(all, tracers.Shutdown)
	otel.SetTracerProvider(tracers)

	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return shutdown, err
	}
	meters := metric.NewMeterProvider(metric.WithReader(reader))
	all = append(all, meters.Shutdown)
	otel.SetMeterProvider(meters)

	records, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return shutdown, err
	}
	loggers := log.NewLoggerProvider(log.WithProcessor(log.NewBatchProcessor(records)))
	all = append(all, loggers.Shutdown)
	otel.SetLoggerProvider(loggers)
	return shutdown, nil
}
