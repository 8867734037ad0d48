package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func clusterUpCommand(e *env) *cobra.Command {
	var flags upFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Make the cluster without a lab in it; lab down --target kind deletes it",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := e.kind(&flags)
			if err != nil {
				return err
			}
			done, err := t.MakeCluster(cmd.Context())
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(e.stdout, done)
			return err
		},
	}
	e.registerDir(cmd)
	e.registerCluster(cmd)
	flags.registerCluster(cmd.Flags())
	return cmd
}
