package main

import (
	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// stackFlags are common to the commands about the stack's programs.
type stackFlags struct {
	mode                    stack.Mode
	cache, images, archives string
	full                    bool
}

func (f *stackFlags) open(e *env) (*stack.Stack, error) {
	return e.stack(f.mode, f.cache, f.images, f.archives, f.full)
}

func stackCommand(e *env) *cobra.Command {
	f := stackFlags{mode: stack.Auto}
	cmd := group(&cobra.Command{
		Use:   "stack",
		Short: "The programs of the stack: Loki, Tempo, Mimir, Alloy, Grafana",
	}, stackBuildCommand(e, &f), stackPruneCommand(e, &f))
	cmd.PersistentFlags().StringVar(&f.cache, "cache", "", "the folder that keeps the programs (default lgtm-lab in the user's cache directory)")
	registerImages(cmd.PersistentFlags(), &f.images)
	return cmd
}
