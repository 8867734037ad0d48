package main

import (
	"github.com/spf13/cobra"
)

func downCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "Stop the lab and keep its data; with --target kind, delete the cluster",
		Long: `down stops every process of the lab in order: the services first, so that their
last telemetry is sent, then the collector, then the backends. What a crashed run
has left behind is stopped too. The data stays for the next ` + "`lab up`" + `.

With --target kind it deletes the cluster with all that is in it: no container,
network or volume stays.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.down(cmd.Context())
		},
	}
}

func resetCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "reset",
		Short: "Stop the lab and delete its data",
		Long: `reset stops the lab, when it runs, and deletes what it has stored: users, logs,
metrics, traces, and the components' own logs. The programs in the cache directory
stay, so that the next ` + "`lab up`" + ` is quick. A Kind cluster keeps its data inside
itself, so there reset is what down is.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.reset(cmd.Context())
		},
	}
}
