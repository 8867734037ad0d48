// Command backend serves the users API from an SQLite file or a PostgreSQL database, and sends traces,
// metrics and logs over OTLP. Environment variables configure it: those that readConfig
// reads, and the standard OTEL_* variables. With PPROF_ADDR, such as 127.0.0.1:6060, it
// serves its profiles there; with HEALTH_ADDR, its probes without TLS.
//
// `backend backup FILE` and `backend restore FILE` work on the same SQLite file instead,
// while another backend serves from it or not. `backend migrate-database` copies the users
// from the SQLite file into the PostgreSQL database.
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

	"github.com/lgtm-lab/lgtm-lab/services/internal/heap"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/postgres"
	"github.com/lgtm-lab/lgtm-lab/services/internal/sqlite"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer heap.Floor(heapFloor)()
	var err error
	if args := os.Args[1:]; isCommand(args) {
		err = command(ctx, args, os.Getenv, os.Stdin, os.Stdout)
	} else {
		err = run(ctx, args, os.Getenv, os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "backend:", err)
		os.Exit(1)
	}
}

// heapFloor is how large the heap becomes under load before it is collected, in bytes.
const heapFloor = 64 << 20

// run serves until ctx is done, and then shuts down. It returns an error if it cannot
// start, or if the shutdown loses something.
func run(ctx context.Context, args []string, getenv func(string) string, stdout io.Writer) error {
	if len(args) > 0 {
		return fmt.Errorf("unexpected argument %q: the environment configures the backend; the commands are `backup FILE` and `restore FILE`", args[0])
	}
	cfg, err := readConfig(getenv)
	if err != nil {
		return err
	}
	if err := httpx.ServeProfiles(ctx, getenv("PPROF_ADDR"), cfg.identity.Server()); err != nil {
		return err
	}
	tel, err := telemetry.Start(ctx, telemetry.Config{ServiceName: "backend", Stdout: stdout})
	if err != nil {
		return err
	}
	store, err := openDatabase(ctx, cfg, tel)
	if err != nil {
		return errors.Join(err, flush(ctx, tel))
	}
	ready := httpx.NewReadiness(store.Ping)
	router, err := newRouter(cfg, tel, store, ready)
	if err == nil {
		err = httpx.ServeProbes(ctx, getenv("HEALTH_ADDR"), ready)
	}
	if err != nil {
		return errors.Join(err, store.Close(), flush(ctx, tel))
	}
	return httpx.Run(ctx, httpx.ServerConfig{
		Addr:          cfg.listenAddr,
		TLS:           cfg.identity.Server(),
		Handler:       router,
		Telemetry:     tel,
		Readiness:     ready,
		ShutdownDelay: cfg.shutdownDelay,
		Close:         store.Close,
	})
}

// database is an open store.
type database interface {
	store
	// Ping returns an error if the users cannot be read.
	Ping(ctx context.Context) error
	// Close closes the store after its last query.
	Close() error
}

// openDatabase opens the database that the configuration names.
func openDatabase(ctx context.Context, cfg config, tel *telemetry.Telemetry) (database, error) {
	if cfg.databaseURL != "" {
		return postgres.Open(ctx, postgres.Config{URL: cfg.databaseURL, Telemetry: tel, Sample: true, Faults: cfg.faults})
	}
	return openRestorable(ctx, sqlite.Config{Path: cfg.databasePath, Telemetry: tel, Sample: true, Faults: cfg.faults})
}

// flush shuts the telemetry down after a failed start. It takes one second at most,
// so that the user sees the error soon even if the receiver is away.
func flush(ctx context.Context, tel *telemetry.Telemetry) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return tel.Shutdown(ctx)
}
