// Command shop is an application as its author would write it, for the tests: an HTTP server
// that OpenTelemetry's own libraries instrument, and that only OTEL_* variables configure.
//
//	GET /ready        200
//	GET /items/{id}   200, one log line; 404 for the item 404
//
// It listens on 127.0.0.1:$PORT until SIGINT or SIGTERM. With -exit N it serves nothing,
// makes one span and ends with exit code N. With SHOP_OWN_RESOURCE it sets a resource with the
// service name shop and without what OTEL_RESOURCE_ATTRIBUTES says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/bridges/otelslog"
	"go.opentelemetry.io/contrib/exporters/autoexport"
	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	sdklog "go.opentelemetry.io/otel/sdk/log"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	code := flag.Int("exit", -1, "make one span and end with this exit code")
	flag.Parse()
	shutdown, logger, err := telemetry(context.Background())
	if err == nil && *code >= 0 {
		_, span := otel.Tracer("shop").Start(context.Background(), "start")
		span.End()
	} else if err == nil {
		err = serve(logger)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err = errors.Join(err, shutdown(ctx)); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
	os.Exit(max(0, *code))
}

// telemetry sets the SDK up.
func telemetry(ctx context.Context) (shutdown func(context.Context) error, logger *slog.Logger, err error) {
	shutdown = func(context.Context) error { return nil }
	spans, err := autoexport.NewSpanExporter(ctx)
	if err != nil {
		return shutdown, nil, err
	}
	reader, err := autoexport.NewMetricReader(ctx)
	if err != nil {
		return shutdown, nil, err
	}
	records, err := autoexport.NewLogExporter(ctx)
	if err != nil {
		return shutdown, nil, err
	}
	options := []sdktrace.TracerProviderOption{sdktrace.WithBatcher(spans)}
	if os.Getenv("SHOP_OWN_RESOURCE") != "" {
		options = append(options, sdktrace.WithResource(resource.NewSchemaless(attribute.String("service.name", "shop"))))
		unset := os.Unsetenv("OTEL_RESOURCE_ATTRIBUTES") // the SDK adds it to each resource
		if unset != nil {
			return shutdown, nil, unset
		}
	}
	traces := sdktrace.NewTracerProvider(options...)
	metrics := sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))
	logs := sdklog.NewLoggerProvider(sdklog.WithProcessor(sdklog.NewBatchProcessor(records)))
	otel.SetTracerProvider(traces)
	otel.SetMeterProvider(metrics)
	otel.SetTextMapPropagator(propagation.NewCompositeTextMapPropagator(propagation.TraceContext{}, propagation.Baggage{}))
	return func(ctx context.Context) error {
		return errors.Join(traces.Shutdown(ctx), metrics.Shutdown(ctx), logs.Shutdown(ctx))
	}, otelslog.NewLogger("shop", otelslog.WithLoggerProvider(logs)), nil
}

func serve(logger *slog.Logger) error {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /ready", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /items/{id}", otelhttp.NewHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		_, span := otel.Tracer("shop").Start(r.Context(), "look up")
		defer span.End()
		if id == "404" {
			logger.WarnContext(r.Context(), "no such item", "item", id)
			http.NotFound(w, r)
			return
		}
		logger.InfoContext(r.Context(), "item served", "item", id)
		fmt.Fprintln(w, "item", id)
	}), "GET /items/{id}"))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", os.Getenv("PORT")))
	if err != nil {
		return err
	}
	fmt.Println("shop listens on", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(closing)
}
