// Command lab brings the observability lab up, sends it traffic and proves that
// its telemetry flows.
//
//	go run ./ci/lab up        # bring the lab up on this machine; Ctrl-C ends it
//	go run ./ci/lab traffic   # send requests to it
//	go run ./ci/lab verify    # prove that every one of them was recorded
//	go run ./ci/lab --help    # everything else
//
// It exits with 0 when all is well, 1 when something failed or a check did not
// hold, and 2 when the command line was wrong.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	// One signal ends whatever is being done, in order; there is nothing that a
	// second one would need to hurry.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr))
}

// errFailed is returned by a command that has said already what is wrong.
var errFailed = errors.New("failed")

// usageError is a command line that cannot be understood.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// run executes the command line and returns the exit code.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	e := &env{getenv: getenv, stdout: stdout, stderr: stderr}
	root := newRoot(e)
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	var usage usageError
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errFailed):
		return 1
	case errors.As(err, &usage) || strings.HasPrefix(err.Error(), "unknown command"):
		fmt.Fprintf(stderr, "lab: %v\nRun `lab --help`, or `lab COMMAND --help`.\n", err)
		return 2
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(stderr, "lab: interrupted")
		return 1
	}
	fmt.Fprintf(stderr, "lab: %v\n", err)
	return 1
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "lab",
		Short: "One observability lab: bring it up, send traffic, prove that telemetry flows",
		Long: `lab runs the observability lab: two instrumented services, Grafana Alloy as the
collector, and Loki, Tempo and Mimir (and Grafana, where it can be had) behind it. It
runs on this machine as plain processes, or with --target kind in a cluster in a
container; lab manifests prints it for a Kubernetes cluster of your own.

    lab up            bring it up; Ctrl-C stops it
    lab traffic       send it requests
    lab verify        prove that every request became a trace, log lines and metrics
    lab snapshot      draw the dashboards into one HTML page
    lab down          stop a lab that runs in the background`,
		SilenceUsage: true, SilenceErrors: true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.PersistentFlags().StringVar(&e.dir, "dir", "", "the lab's folder: data, logs, what runs (default $LAB_DIR, or .lab in the checkout)")
	e.chosen.register(e, root.PersistentFlags())
	root.AddCommand(
		upCommand(e), downCommand(e), statusCommand(e), logsCommand(e), resetCommand(e),
		trafficCommand(e), verifyCommand(e), endpointsCommand(e), traceCommand(e), snapshotCommand(e), stackCommand(e),
		imagesCommand(e), manifestsCommand(e), clusterCommand(e),
	)
	return root
}
