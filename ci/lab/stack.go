package main

import (
	"context"
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// stackFlags are common to the commands about the stack's programs.
type stackFlags struct {
	mode          stack.Mode
	cache, images string
}

func (f *stackFlags) open(e *env) (*stack.Stack, error) {
	root, err := e.root()
	if err != nil {
		return nil, err
	}
	return e.stack(stack.Config{Root: root, Cache: f.cache, Mode: f.mode}, f.images)
}

func stackCommand(e *env) *cobra.Command {
	f := stackFlags{mode: stack.Auto}
	cmd := &cobra.Command{
		Use:   "stack",
		Short: "The programs of the stack: Loki, Tempo, Mimir, Alloy, Grafana",
		Args:  noArgs,
	}
	cmd.PersistentFlags().StringVar(&f.cache, "cache", "", "where they are kept (default lgtm-lab in the user's cache directory)")
	registerImages(cmd.PersistentFlags(), &f.images)
	cmd.AddCommand(stackBuildCommand(e, &f), stackPruneCommand(e, &f))
	return cmd
}

func stackBuildCommand(e *env, f *stackFlags) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Get the programs of the stack onto this machine now",
		Long: `build does what ` + "`lab up`" + ` does first: it finds the programs of the stack, fetches them
out of their images, or compiles them from the modules in ci/stack. Compiling takes
about half an hour on two cores; interrupted, it goes on where it was.`,
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
			for _, name := range []string{target.Loki, target.Tempo, target.Mimir, target.Alloy, target.Grafana} {
				if p, ok := set.Program(name); ok {
					path, _ := p.Command()
					fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", name, p.Version, p.Source, path)
				}
			}
			return t.Flush()
		},
	}
	cmd.Flags().Var(&f.mode, "stack", "where they come from: auto, path, images or source")
	return cmd
}

// sayOld says how much could be pruned. Not knowing is no reason to fail.
func (e *env) sayOld(ctx context.Context, s *stack.Stack) {
	old, err := s.Old(ctx)
	if err != nil || len(old) == 0 {
		return
	}
	var bytes int64
	for _, o := range old {
		bytes += o.Bytes
	}
	e.say(fmt.Sprintf("%d older programs take %s MB in the cache; `go run ./ci/lab stack prune` deletes them", len(old), megabytes(bytes)))
}

func stackPruneCommand(e *env, f *stackFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "prune",
		Short: "Delete programs from the cache that this checkout has no use for",
		Long: `prune deletes what an earlier version of the pins, or another version of Go, has left in
the cache of programs. What a running lab uses is kept, and named. Another checkout, with
other pins, would have to fetch or compile its programs again.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			s, err := f.open(e)
			if err != nil {
				return err
			}
			deleted, kept, err := s.Prune(cmd.Context())
			for _, o := range deleted {
				fmt.Fprintf(e.stdout, "deleted  %s MB  %s\n", megabytes(o.Bytes), o.Dir)
			}
			for _, o := range kept {
				fmt.Fprintf(e.stdout, "kept     %s MB  %s, which is in use by %s\n", megabytes(o.Bytes), o.Dir, strings.Join(o.Users, ", "))
			}
			if err == nil && len(deleted)+len(kept) == 0 {
				fmt.Fprintln(e.stdout, "Nothing to delete: every program in the cache is of this checkout.")
			}
			return err
		},
	}
}
