// Command backend is the users API: SQLite behind HTTP, with traces, metrics and
// logs over OTLP. It takes no arguments; its environment configures it (see
// readConfig), the standard OTEL_* variables included.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, and then stops in order. Its errors are what
// kept it from starting, or from stopping without loss.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: the environment configures the backend", args[0])
	}
	cfg, err := readConfig(getenv)
	if err != nil {
		return err
	}
	tel, err := telemetry.Start(ctx, telemetry.Config{ServiceName: "backend", Stdout: stdout})
	if err != nil {
		return err
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Path: cfg.databasePath, Telemetry: tel, Sample: true, Faults: cfg.faults})
	if err != nil {
		return errors.Join(err, flush(ctx, tel))
	}
	ready := httpx.NewReadiness(store.Ping)
	router, err := newRouter(cfg, tel, store, ready)
	if err != nil {
		return errors.Join(err, store.Close(), flush(ctx, tel))
	}
	return httpx.Run(ctx, httpx.ServerConfig{
		Addr:          cfg.listenAddr,
		Handler:       router,
		Telemetry:     tel,
		Readiness:     ready,
		ShutdownDelay: cfg.shutdownDelay,
		Close:         store.Close,
	})
}

// flush ends the telemetry of a start that failed. It is short: the person who
// waits for the reason should not wait for a receiver that is away, too.
func flush(ctx context.Context, tel *telemetry.Telemetry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return tel.Shutdown(ctx)
}
