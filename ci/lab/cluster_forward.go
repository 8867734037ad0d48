package main

import (
	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind"
)

func forwardCommand(e *env) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "forward NAME[=PORT]...",
		Short: "Forward ports of this machine to a cluster whose container runtime is elsewhere",
		Long: `forward is for a cluster on another machine (DOCKER_HOST is tcp:// or ssh://) that was
made with --listen, so that its ports can be reached. It opens the same ports on this
machine, or the given ones, and passes connections on until you press Ctrl-C. Names:
frontend, grafana, api.`,
		Example: "  lab cluster forward frontend grafana=3001",
		Args:    someArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			routes := make([]kind.Route, len(args))
			for i, text := range args {
				var err error
				if routes[i], err = kind.ParseRoute(text); err != nil {
					return usageError{err}
				}
			}
			t, err := e.kind(&upFlags{})
			if err != nil {
				return err
			}
			return t.Forward(cmd.Context(), listen, e.getenv("DOCKER_HOST"), routes)
		},
	}
	e.registerCluster(cmd)
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1", "this machine's `ADDRESS` to listen on")
	return cmd
}
