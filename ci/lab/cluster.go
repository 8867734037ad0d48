package main

import (
	"github.com/spf13/cobra"
)

func clusterCommand(e *env) *cobra.Command {
	return group(&cobra.Command{
		Use:   "cluster",
		Short: "Work on the Kind cluster itself: make it, kubectl, kubeconfig, forward",
		Long: `cluster works on the Kind cluster that lab up --target kind makes, with or without a
lab in it. It writes nothing on this machine: kubectl runs inside the cluster's node,
and kubeconfig prints a file for a kubectl of your own.`,
	}, clusterUpCommand(e), kubectlCommand(e), kubeconfigCommand(e), forwardCommand(e))
}
