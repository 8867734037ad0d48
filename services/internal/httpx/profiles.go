package httpx

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"net/http/pprof"
	"time"
)

// ServeProfiles serves the process's profiles at /debug/pprof/ on an address of its own,
// until ctx is done; it does nothing if addr is "". They show what the process does, so
// the address should be one of this machine's own. config is as [ServerConfig.TLS].
func ServeProfiles(ctx context.Context, addr string, config *tls.Config) error {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	if err := serveBeside(ctx, addr, config, mux); err != nil {
		return fmt.Errorf("listening for profiles (PPROF_ADDR): %w", err)
	}
	return nil
}

// serveBeside serves on an address of its own until ctx is done; it does nothing if addr
// is "".
func serveBeside(ctx context.Context, addr string, config *tls.Config, handler http.Handler) error {
	if addr == "" {
		return nil
	}
	listener, err := listen(ctx, addr, config)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }()
	context.AfterFunc(ctx, func() { _ = server.Close() })
	return nil
}
