package main

import (
	"errors"

	"github.com/spf13/cobra"
)

func logsCommand(e *env) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print the log of a component",
		Long:  "logs prints a component's own log: frontend, backend, alloy, loki, tempo, mimir or grafana.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("logs wants the name of one component, such as frontend")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := e.lab()
			if err != nil {
				return err
			}
			return t.Logs(cmd.Context(), e.stdout, args[0], follow)
		},
	}
	e.registerTarget(cmd)
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing new lines as they come")
	return cmd
}
