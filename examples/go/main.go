// A server that rolls a die. Its telemetry is set up as OpenTelemetry's guide for Go says:
// https://opentelemetry.io/docs/languages/go/getting-started/
package main

import (
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
)

func main() {
	if err := run(); err != nil {
		log.Fatalln(err)
	}
}

func run() (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()

	shutdown, err := setupOTelSDK(ctx)
	if err != nil {
		return err
	}
	// What the SDK still has is sent before the program ends.
	defer func() { err = errors.Join(err, shutdown(context.Background())) }()

	server := &http.Server{
		Addr:              net.JoinHostPort("127.0.0.1", port()),
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: time.Second,
		WriteTimeout:      10 * time.Second,
		Handler:           newHandler(),
	}
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		stop() // a second Ctrl-C ends the program at once
	}
	return server.Shutdown(context.Background())
}

func newHandler() http.Handler {
	mux := http.NewServeMux()
	// The instrumentation is around each route, and not around the mux: it then knows the
	// route when the span begins. Probes are not worth a trace each.
	handle := func(pattern string, handler http.HandlerFunc) {
		mux.Handle(pattern, otelhttp.NewHandler(handler, pattern))
	}
	handle("GET /rolldice", rollDice)
	handle("GET /rolldice/{player}", rollDice)
	mux.HandleFunc("GET /health", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	return mux
}

func port() string {
	if p := os.Getenv("PORT"); p != "" {
		return p
	}
	return "8070"
}
