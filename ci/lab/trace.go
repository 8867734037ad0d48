package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceview"
)

// traceFlags are the flags of trace.
type traceFlags struct{ html, output string }

func traceCommand(e *env) *cobra.Command {
	var f traceFlags
	cmd := &cobra.Command{
		Use:   "trace ID",
		Short: "Show one trace as a tree or a page, with its log lines",
		Long: `trace prints a trace's spans as a tree with their durations, and the log lines that
carry its id, as Grafana would show them. Take the id from the frontend's page or from
the header X-Trace-Id of an answer. The id may have any form: without leading zeros, in
capitals, with dashes, or a whole header such as traceparent.

With --html FILE the trace becomes one page for a browser instead, which needs no other
file: the spans as a waterfall, each with its attributes and events, and the log lines.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("trace wants one trace id")}
			}
			if _, err := traceview.ParseID(args[0]); err != nil {
				return usageError{err}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.trace(cmd, args[0], f) },
	}
	e.registerTarget(cmd)
	cmd.Flags().StringVar(&f.html, "html", "", "write a page for a browser to this `FILE`; - is standard output")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.MarkFlagsMutuallyExclusive("html", "output")
	return cmd
}

func (e *env) trace(cmd *cobra.Command, text string, f traceFlags) error {
	if f.output != "text" && f.output != "json" {
		return usageError{fmt.Errorf("--output is text or json, not %q", f.output)}
	}
	id, err := traceview.ParseID(text)
	if err != nil {
		return err
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	found, err := target.Do(cmd.Context(), t, target.Work[traceview.Trace]{
		Args: []string{"trace", id}, Asks: []string{target.Tempo, target.Loki}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (traceview.Trace, error) {
			client := at.Client(30 * time.Second)
			found, err := traceview.Fetch(ctx, query.Tempo{URL: at.Tempo, HTTP: client}, query.Loki{URL: at.Loki, HTTP: client}, id)
			if err == nil && found.Missing != "" && at.Alloy != "" {
				if kept, failed := sampling.Read(ctx, client, at.Alloy); failed == nil && !kept.Keeps(id) {
					found.Missing += ". This one's id is none that is kept: " + kept.String()
				}
			}
			return found, err
		},
	})
	if err != nil {
		return err
	}
	if err := e.writeTrace(found, f); err != nil {
		return err
	}
	if found.Missing != "" {
		return errors.New(found.Missing)
	}
	return nil
}

// writeTrace writes the trace in the form that the flags ask for.
func (e *env) writeTrace(found traceview.Trace, f traceFlags) error {
	switch {
	case f.output == "json":
		return report.Encode(e.stdout, kindTrace, found)
	case f.html == "":
		return found.WriteText(e.stdout)
	case f.html == toStdout:
		return found.WriteHTML(e.stdout)
	}
	if err := writeFile(f.html, found.WriteHTML); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s has %d spans and %d log lines of the trace %s\n", f.html, len(found.Spans), len(found.Lines), found.TraceID)
	return nil
}

// writeFile creates the file with what write writes.
func writeFile(name string, write func(io.Writer) error) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(file), file.Close())
}
