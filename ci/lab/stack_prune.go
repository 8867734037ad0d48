package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

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
