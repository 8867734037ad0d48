package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/local"
)

func downCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the lab and keep its data",
		Long: `down stops every process of the lab in order: the services first, so that their
last telemetry is sent, then the collector, then the backends. What a crashed run
has left behind is stopped too. The data stays for the next ` + "`lab up`" + `.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lab, err := e.lab()
			if err != nil {
				return err
			}
			stopped, err := lab.Down(cmd.Context())
			if errors.Is(err, local.ErrNotUp) {
				fmt.Fprintln(e.stdout, "Nothing to stop: the lab is not up.")
				return nil
			}
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "Stopped: %s. The data is kept; `go run ./ci/lab reset` deletes it.\n", strings.Join(stopped, ", "))
			return nil
		},
	}
}

func resetCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Stop the lab and delete its data",
		Long: `reset stops the lab, when it runs, and deletes what it has stored: users, logs,
metrics, traces, and the components' own logs. The programs in the cache directory
stay, so that the next ` + "`lab up`" + ` is quick.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			lab, err := e.lab()
			if err != nil {
				return err
			}
			freed, err := lab.Reset(cmd.Context())
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "The lab's data is deleted, %.1f MB.\n", float64(freed)/(1<<20))
			return nil
		},
	}
}
