// Command frontend serves the page at /, and the backend's users API under /api. It
// stores nothing: it asks the backend for all data, within the same trace.
//
// Environment variables configure it: those that readConfig reads, and the standard
// OTEL_* variables. With PPROF_ADDR, such as 127.0.0.1:6060, it serves its profiles there;
// with HEALTH_ADDR, its probes without TLS.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/lgtm-lab/lgtm-lab/services/internal/heap"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer heap.Floor(heapFloor)()
	if err := run(ctx, os.Args[1:], os.Getenv, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "frontend:", err)
		os.Exit(1)
	}
}

// heapFloor is how large the heap becomes under load before it is collected, in bytes.
const heapFloor = 64 << 20

// run serves until ctx is done.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: the environment configures the frontend", args[0])
	}
	cfg, err := readConfig(getenv)
	if err != nil {
		return err
	}
	if err := httpx.ServeProfiles(ctx, getenv("PPROF_ADDR"), cfg.identity.Server()); err != nil {
		return err
	}
	tel, err := telemetry.Start(ctx, telemetry.Config{ServiceName: "frontend", Stdout: stdout})
	if err != nil {
		return err
	}
	ready := httpx.NewReadiness(nil) // ready without the backend, too: the page can say that the backend is away
	handler, err := newHandler(cfg, tel, ready)
	if err == nil {
		err = httpx.ServeProbes(ctx, getenv("HEALTH_ADDR"), ready)
	}
	if err != nil {
		return errors.Join(err, tel.Shutdown(ctx))
	}
	return httpx.Run(ctx, httpx.ServerConfig{
		Addr: cfg.listen, TLS: cfg.identity.Server(), Handler: handler, Telemetry: tel, Readiness: ready, ShutdownDelay: cfg.shutdownDelay,
	})
}
