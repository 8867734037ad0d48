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
		Long: `prune deletes programs in the cache that belong to earlier pins or to another version of
Go, and the files of downloads and compiles that were killed. It keeps the programs that
a running lab or a download uses, and names them. Another checkout, with other pins,
must then fetch or compile its programs again.`,
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
				fmt.Fprintln(e.stdout, "Nothing to delete: every program in the cache belongs to this checkout.")
			}
			return err
		},
	}
}
