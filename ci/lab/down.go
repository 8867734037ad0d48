package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func downCommand(e *env) *cobra.Command {
	return e.endCommand(target.Target.Down, &cobra.Command{
		Use:   "down",
		Short: "Stop the lab and keep its data; with --target kind, delete the cluster",
		Long: `down stops every process of the lab in order: the services first, so that their
last telemetry is sent, then the collector, then the backends. It also stops the
processes that a crashed run has left behind. The data stays for the next ` + "`lab up`" + `.

With --target kind it deletes the cluster with everything in it: no container,
network or volume stays. With --target kubernetes it deletes the lab's objects; the
volumes stay, and with them the namespaces that they are in.`,
	})
}

func resetCommand(e *env) *cobra.Command {
	return e.endCommand(target.Target.Reset, &cobra.Command{
		Use:   "reset",
		Short: "Stop the lab and delete its data",
		Long: `reset stops the lab, when it runs, and deletes its data: users, logs, metrics,
traces, and the components' own logs. It refuses a folder that lab has not made, and
keeps other files that are in the lab's folder. The programs in the cache directory
stay, so that the next ` + "`lab up`" + ` is quick. A Kind cluster keeps its data inside
itself, so with --target kind reset does the same as down. With --target kubernetes it
deletes the volumes, too; what is in an object store stays.`,
	})
}

// endCommand completes a command that ends a lab and prints a sentence about it.
func (e *env) endCommand(end func(target.Target, context.Context) (string, error), cmd *cobra.Command) *cobra.Command {
	cmd.Args = noArgs
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		t, err := e.lab()
		if err != nil {
			return err
		}
		done, err := end(t, cmd.Context())
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(e.stdout, done)
		return err
	}
	e.registerTarget(cmd)
	return cmd
}
