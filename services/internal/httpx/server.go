package httpx

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
)

// ServerConfig configures [Run]. Addr, Handler and Telemetry are required. A duration
// of 0 means the default that its comment gives.
type ServerConfig struct {
	// Addr is the address to listen on, such as ":8080". Port 0 means a free port; the
	// log line "listening" names it.
	Addr string
	// Handler answers the requests. It is usually a [Router].
	Handler http.Handler
	// Telemetry receives the server's log lines, and is shut down last.
	Telemetry *telemetry.Telemetry
	// TLS are the settings of a listener that speaks TLS, and nothing else; nil is one
	// without TLS.
	TLS *tls.Config
	// Readiness is drained when the shutdown begins. It may be nil.
	Readiness *Readiness
	// Close is called after the last request. It closes what the handlers use, such as
	// a database. It may be nil.
	Close func() error

	// ShutdownDelay is how long the server still accepts connections after it has
	// become not ready, so that load balancers notice; default 0.
	ShutdownDelay time.Duration
	// ShutdownTimeout is how long the requests in flight may still take; default 20 s.
	ShutdownTimeout time.Duration
	// FlushTimeout is how long the export of the last telemetry may take; default 5 s.
	FlushTimeout time.Duration

	// ReadHeaderTimeout bounds how long a request's header may take to arrive; default
	// 5 s.
	ReadHeaderTimeout time.Duration
	// ReadTimeout bounds header and body together; default [DefaultReadTimeout].
	// It must be longer than the router's Timeout, see [RouterConfig].
	ReadTimeout time.Duration
	// WriteTimeout bounds the time from the end of the request's header to the end of
	// the response; default 15 s. It must be longer than the router's Timeout.
	WriteTimeout time.Duration
	// IdleTimeout is how long an idle connection is kept; default
	// [DefaultIdleTimeout].
	IdleTimeout time.Duration
}

// DefaultReadTimeout is how long a request may take to arrive, header and body
// together.
const DefaultReadTimeout = 12 * time.Second

// DefaultIdleTimeout is how long an idle connection is kept. It must be longer than
// clients keep one, which is 60 s for the frontend and for most load balancers: a
// server that closes first may do so while a request is on its way.
const DefaultIdleTimeout = 75 * time.Second

// maxHeaderBytes bounds a request's header. The standard library allows 1 MiB, which
// only services with large cookies need.
const maxHeaderBytes = 32 << 10

// Run serves until ctx is done, then shuts down step by step: it becomes not ready,
// waits for ShutdownDelay, closes the listener, waits for the requests in flight, calls
// Close, and flushes the telemetry. A step that fails does not stop the next one; the
// errors are joined. After a clean shutdown Run returns nil, whatever ended ctx.
//
// The end of ctx does not cancel the requests in flight.
func Run(ctx context.Context, cfg ServerConfig) error {
	cfg.setDefaults()
	log := cfg.Telemetry.Logger
	listener, err := listen(ctx, cfg.Addr, cfg.TLS)
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

// listen opens a listener, which speaks TLS if there are settings for it.
func listen(ctx context.Context, addr string, config *tls.Config) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil || config == nil {
		return listener, err
	}
	return tls.NewListener(listener, config), nil
}

// stop shuts the server down. It cuts off the requests that are still running at the
// deadline.
func (cfg *ServerConfig) stop(ctx context.Context, server *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		return errors.Join(fmt.Errorf("stopping the server: %w", err), server.Close())
	}
	return nil
}

// finish calls Close and then flushes the telemetry, because Close may still log.
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

// closeWhenDraining closes each kept-alive connection with the next answer on it, once
// the shutdown has begun. The client then opens a new connection, and reaches another
// replica. Otherwise all kept-alive connections would be cut at the end of
// ShutdownDelay, together with the requests that clients have just sent.
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
		{&cfg.IdleTimeout, DefaultIdleTimeout},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
}
