package httpx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// ServerConfig is what [Run] needs. Addr, Handler and Telemetry are required;
// the zero value of every duration means the default that its comment gives.
type ServerConfig struct {
	// Addr is where to listen, as ":8080". Port 0 takes a free one, which the
	// log line "listening" names.
	Addr string
	// Handler answers; usually a [Router].
	Handler http.Handler
	// Telemetry receives the server's log lines, and is shut down last.
	Telemetry *telemetry.Telemetry
	// Readiness is drained at the stop's beginning; nil if there is none.
	Readiness *Readiness
	// Close closes what the handlers use, the database for one, after the last
	// request; nil if there is nothing.
	Close func() error

	// ShutdownDelay is the time between "not ready" and the end of accepting,
	// for load balancers to notice; default 0.
	ShutdownDelay time.Duration
	// ShutdownTimeout is how long requests in flight may still take; default 20 s.
	ShutdownTimeout time.Duration
	// FlushTimeout is how long the last telemetry may take; default 5 s.
	FlushTimeout time.Duration

	// ReadHeaderTimeout ends a connection that is slow with its header; default 5 s.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds header and body together; default [DefaultReadTimeout].
	// It must be longer than the router's Timeout, see [RouterConfig].
	ReadTimeout time.Duration
	// WriteTimeout bounds the response from the header's end on; default 15 s.
	// It must be longer than the router's Timeout.
	WriteTimeout time.Duration
	// IdleTimeout ends a connection that is kept alive for nothing; default 60 s.
	IdleTimeout time.Duration
}

// DefaultReadTimeout is how long a request may take to arrive, header and body
// together.
const DefaultReadTimeout = 12 * time.Second

// maxHeaderBytes bounds a request's header; the standard library's 1 MiB is for
// services that need large cookies.
const maxHeaderBytes = 32 << 10

// Run serves until ctx is done, then stops in order: not ready, ShutdownDelay,
// no new connections while the requests in flight end, Close, telemetry flushed.
// Each step is taken even if one before failed; the errors are joined. A stop
// that went well is nil, whatever ended ctx.
//
// Ending ctx (a signal) does not cancel the requests in flight.
func Run(ctx context.Context, cfg ServerConfig) error {
	cfg.setDefaults()
	log := cfg.Telemetry.Logger
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return errors.Join(fmt.Errorf("listening: %w", err), cfg.finish(ctx))
	}
	server := cfg.server(log)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	log.InfoContext(ctx, "listening", slog.String("address", listener.Addr().String()),
		slog.String("version", cfg.Telemetry.Version))

	select {
	case err := <-served:
		return errors.Join(fmt.Errorf("serving: %w", err), cfg.finish(ctx))
	case <-ctx.Done():
	}
	log.InfoContext(ctx, "stopping", slog.String("cause", context.Cause(ctx).Error()))
	if cfg.Readiness != nil {
		cfg.Readiness.Drain()
	}
	ctx = context.WithoutCancel(ctx)
	if cfg.ShutdownDelay > 0 {
		time.Sleep(cfg.ShutdownDelay)
	}
	return errors.Join(cfg.stop(ctx, server), cfg.finish(ctx))
}

// stop ends the server; requests that outlast the deadline are cut off.
func (cfg *ServerConfig) stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stopping the server: %w", err), server.Close())
	}
	return nil
}

// finish closes the database and flushes the telemetry, in this order: closing
// may still have something to report.
func (cfg *ServerConfig) finish(ctx context.Context) error {
	var errs []error
	if cfg.Close != nil {
		if err := cfg.Close(); err != nil {
			errs = append(errs, fmt.Errorf("closing: %w", err))
		}
	}
	cfg.Telemetry.Logger.InfoContext(ctx, "stopped")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cfg.FlushTimeout)
	defer cancel()
	return errors.Join(append(errs, cfg.Telemetry.Shutdown(ctx))...)
}

func (cfg *ServerConfig) server(log *slog.Logger) *http.Server {
	return &http.Server{
		Handler:           cfg.closeWhenDraining(cfg.Handler),
		ReadHeaderTimeout: cfg.ReadHeaderTimeout,
		ReadTimeout:       cfg.ReadTimeout,
		WriteTimeout:      cfg.WriteTimeout,
		IdleTimeout:       cfg.IdleTimeout,
		MaxHeaderBytes:    maxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

// closeWhenDraining closes each connection with its next answer once the server is about to
// stop, so that clients come back on a new one, which leads elsewhere. Otherwise
// the connections that are kept alive would all be cut at the end of
// ShutdownDelay, with whatever request a client has just sent on one of them.
func (cfg *ServerConfig) closeWhenDraining(next http.Handler) http.Handler {
	if cfg.Readiness == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if cfg.Readiness.draining.Load() {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}

func (cfg *ServerConfig) setDefaults() {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&cfg.ShutdownTimeout, 20 * time.Second},
		{&cfg.FlushTimeout, 5 * time.Second},
		{&cfg.ReadHeaderTimeout, 5 * time.Second},
		{&cfg.ReadTimeout, DefaultReadTimeout},
		{&cfg.WriteTimeout, 15 * time.Second},
		{&cfg.IdleTimeout, 60 * time.Second},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
}
