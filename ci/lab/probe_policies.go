package main

import (
	"fmt"
	"net"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kubernetes"
)

// probePoliciesCommand is for a Job of `lab up --target kubernetes`, so the help does not list
// it.
func probePoliciesCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:    kubernetes.ProbeCommand,
		Short:  "Find out whether this cluster enforces the lab's network policies",
		Hidden: true,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if e.target.name != target.InCluster {
				return usageError{fmt.Errorf("%s runs in a pod of the lab, with --target incluster", kubernetes.ProbeCommand)}
			}
			loki, err := url.Parse(target.Cluster().Loki)
			if err != nil {
				return err
			}
			word, err := kubernetes.Probe(cmd.Context(), net.JoinHostPort(loki.Hostname(), loki.Port()), kubernetes.Forbidden())
			if err == nil {
				fmt.Fprintln(e.stdout, word)
			}
			return err
		},
	}
	e.registerTarget(cmd)
	return cmd
}
