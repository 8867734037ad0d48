package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/certificates"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceview"
)

// inspectorFlags say where the inspector listens and whom it asks.
type inspectorFlags struct {
	listen, tempo, loki, alloy string
	facts                      bool
	tls                        certificates.Files
}

// inspectorCommand is a component of the lab, which up starts; people have no use for it.
func inspectorCommand(e *env) *cobra.Command {
	var f inspectorFlags
	cmd := &cobra.Command{
		Use:    target.Inspector,
		Short:  "Show traces as pages, and keep the facts of what services send",
		Hidden: true,
		Long: `inspector is a component of the lab; lab up starts it. It answers /trace/ID with the page
of a trace. With --facts it takes OTLP over HTTP, as Alloy copies it, and answers lab
inspect and lab score. It runs until it is told to end.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.inspector(cmd.Context(), f) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.listen, "listen", "127.0.0.1:4319", "the `ADDRESS` to listen on")
	flags.StringVar(&f.tempo, "tempo", "http://127.0.0.1:3200", "Tempo's base `URL`; without one there are no pages of traces")
	flags.StringVar(&f.loki, "loki", "http://127.0.0.1:3100", "Loki's base `URL`; without one there are no pages of traces")
	flags.BoolVar(&f.facts, "facts", false, "take a copy of the telemetry and keep its facts")
	flags.StringVar(&f.tls.Certificate, "tls-cert", "", "serve over mutual TLS, and ask so: the `FILE` of the certificate")
	flags.StringVar(&f.tls.Key, "tls-key", "", "the `FILE` of its key")
	flags.StringVar(&f.tls.Authority, "tls-ca", "", "the `FILE` of the authority's certificate")
	onlyWith(flags, "tls-cert", "tls-key", "tls-ca")
	flags.StringVar(&f.alloy, "alloy", "http://127.0.0.1:12345", "Alloy's base `URL`: its counters say how much of the copy it dropped")
	onlyWith(flags, "facts", "alloy")
	return cmd
}

func (e *env) inspector(ctx context.Context, f inspectorFlags) error {
	var at target.Addresses // of the others, whose certificates are as this one's
	if f.tls != (certificates.Files{}) {
		var err error
		if at.TLS, err = f.tls.Config(); err != nil {
			return err
		}
	}
	var losses *inspector.Losses
	if f.facts {
		losses = &inspector.Losses{URL: f.alloy, HTTP: at.Client(5 * time.Second)}
	}
	facts := inspector.NewServer(losses)
	facts.Off = !f.facts
	go facts.Watch(ctx)
	client := at.Client(30 * time.Second)
	mux := http.NewServeMux()
	mux.Handle("/", facts.Handler())
	if f.tempo != "" && f.loki != "" {
		mux.Handle("/trace/", traceview.Handler(query.Tempo{URL: f.tempo, HTTP: client}, query.Loki{URL: f.loki, HTTP: client}))
	}
	listener, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	if at.TLS != nil {
		listener = tls.NewListener(listener, at.TLS)
	}
	fmt.Fprintf(e.stderr, "listening on %s\n", listener.Addr())
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	// What was asked before is still answered.
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if err := server.Shutdown(ending); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return nil
}
