package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func stackBuildCommand(e *env, f *stackFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Get the programs of the stack onto this machine now",
		Long: `build does the first step of ` + "`lab up`" + `: it finds the programs of the stack, fetches them
out of their images, or compiles them from the modules in ci/stack. Compiling takes
about a quarter of an hour on two cores; after Ctrl-C, the next call goes on where it
stopped.

What is compiled is lean: without parts that the lab never runs. Alloy has the
components that config/alloy names and some more like them, without the other 150, the
converters of other programs' configurations, import.git and --cluster.discover-peers. A
configuration with anything else in it ends with a message that says so. Loki, Tempo and
Mimir lack gRPC's direct path to Google's storage. --full compiles everything, which takes half an
hour more on two cores; up takes those programs from then on. Programs from PATH and out
of images are never lean.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open(e)
			if err != nil {
				return err
			}
			set, err := s.Resolve(cmd.Context())
			if err != nil {
				return err
			}
			e.say(set.Reason)
			if set.Hint != "" {
				e.say(set.Hint)
			}
			e.sayOld(cmd.Context(), s)
			t := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
			fmt.Fprintln(t, "PROGRAM\tVERSION\tFROM\tFILE")
			for _, name := range target.StackComponents() {
				if p, ok := set.Program(name); ok {
					path, _ := p.Command()
					from := string(p.Source)
					if p.Lean {
						from += ", lean"
					}
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, p.Version, from, path)
				}
			}
			return t.Flush()
		},
	}
	cmd.Flags().StringVar(&f.archives, "archives", "", "a `DIRECTORY` with images as files, as `lab images pull --to` and pack write them: a program whose image is there comes out of it (Linux)")
	cmd.Flags().BoolVar(&f.full, "full", false, "what has to be compiled is compiled with everything in it, and not only with what the lab runs")
	cmd.Flags().Var(&f.mode, "stack", "where the programs come from: auto, path, images or source")
	return cmd
}

// sayOld says how much prune could delete. It is only a hint, so an error is ignored.
func (e *env) sayOld(ctx context.Context, s *stack.Stack) {
	old, err := s.Old(ctx)
	if err != nil || len(old) == 0 {
		return
	}
	var bytes int64
	for _, o := range old {
		bytes += o.Bytes
	}
	e.say(fmt.Sprintf("%d older programs take %s MB in the cache; `%s stack prune` deletes them", len(old), megabytes(bytes), command.Name()))
}
