package main

import (
	"github.com/spf13/cobra"
)

func kubeconfigCommand(e *env) *cobra.Command {
	var server string
	cmd := &cobra.Command{
		Use:   "kubeconfig",
		Short: "Print a kubeconfig of the cluster's administrator",
		Example: "  go run ./ci/lab cluster kubeconfig > kubeconfig\n" +
			"  kubectl --kubeconfig kubeconfig get nodes",
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			t, err := e.kind(&upFlags{})
			if err != nil {
				return err
			}
			raw, err := t.Kubeconfig(cmd.Context(), server)
			if err != nil {
				return err
			}
			_, err = e.stdout.Write(raw)
			return err
		},
	}
	e.registerCluster(cmd)
	cmd.Flags().StringVar(&server, "server", "", "the `URL` of the API server (default the port of this machine that the runtime has published)")
	return cmd
}
