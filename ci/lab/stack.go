package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/ground"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

func stackCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "stack",
		Short: "The programs of the stack: Loki, Tempo, Mimir, Alloy, Grafana",
		Args:  noArgs,
	}
	mode := stack.Auto
	var cache string
	build := &cobra.Command{
		Use:   "build",
		Short: "Get the programs of the stack onto this machine now",
		Long: `build does what ` + "`lab up`" + ` does first: it finds the programs of the stack, fetches them
out of their images, or compiles them from the modules in ci/stack. Compiling takes
about half an hour on two cores; interrupted, it goes on where it was.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			root, err := e.root()
			if err != nil {
				return err
			}
			set, err := e.resolve(cmd.Context(), root, cache, mode)
			if err != nil {
				return err
			}
			e.say(set.Reason)
			if set.Hint != "" {
				e.say(set.Hint)
			}
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "PROGRAM\tVERSION\tFROM\tFILE")
			for _, name := range []string{ground.Loki, ground.Tempo, ground.Mimir, ground.Alloy, ground.Grafana} {
				if p, ok := set.Program(name); ok {
					path, _ := p.Command()
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, p.Version, p.Source, path)
				}
			}
			return t.Flush()
		},
	}
	build.Flags().Var(&mode, "stack", "where they come from: auto, path, images or source")
	build.Flags().StringVar(&cache, "cache", "", "where they are kept (default lgtm-lab in the user's cache directory)")
	cmd.AddCommand(build)
	return cmd
}
