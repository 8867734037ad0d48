package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceview"
)

func traceCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Print one trace as a tree, with its log lines",
		Long: `trace prints a trace's spans as a tree with their durations, and the log lines that
carry its id, as Grafana would show them. Take the id from the frontend's page or from
the header X-Trace-Id of an answer. The id may have any form: without leading zeros, in
capitals, with dashes, or a whole header such as traceparent.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("trace wants one trace id")}
			}
			if _, err := traceview.ParseID(args[0]); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := traceview.ParseID(args[0])
			if err != nil {
				return err
			}
			t, err := e.lab()
			if err != nil {
				return err
			}
			return target.Print(cmd.Context(), t, e.stdout, []string{"trace", id}, []string{target.Tempo, target.Loki},
				func(ctx context.Context, w io.Writer, at target.Addresses) error {
					client := &http.Client{Timeout: 30 * time.Second}
					return traceview.Print(ctx, w, query.Tempo{URL: at.Tempo, HTTP: client}, query.Loki{URL: at.Loki, HTTP: client}, id)
				})
		},
	}
	e.registerTarget(cmd)
	return cmd
}
