package main

import (
	"io"
	"slices"

	"github.com/spf13/cobra"
)

func kubectlCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kubectl ARGS...",
		Short: "Run kubectl in the cluster's node, as administrator",
		Long: `kubectl runs in the cluster's node, so you need no kubectl on this machine. It looks for
files in the node: give it your own on standard input, with -f -.`,
		Example: "  lab cluster kubectl get pods -A\n  lab cluster kubectl -n app logs deploy/frontend\n  lab cluster kubectl apply -f - < object.yaml",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := e.kind(&upFlags{})
			if err != nil {
				return err
			}
			var stdin io.Reader
			if slices.Contains(args, "-") || slices.Contains(args, "--filename=-") {
				stdin = cmd.InOrStdin()
			}
			return t.Kubectl(cmd.Context(), e.stdout, stdin, args...)
		},
	}
	e.registerCluster(cmd)
	// The flags after kubectl's own verb are kubectl's.
	cmd.Flags().SetInterspersed(false)
	return cmd
}
