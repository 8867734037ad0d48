package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/storefile"
)

// checkFilesCommand is for the init containers of the stores' pods, so the help does not list
// it.
func checkFilesCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:    "check-files COMPONENT FOLDER",
		Short:  "Set damaged files of Loki or Mimir aside, before it starts",
		Hidden: true,
		Long: `check-files reads those files in the data folder of Loki or Mimir that the component reads
at its start. It sets aside what would keep the component from starting, or hide what comes
after the damage. The component must not be running. In a cluster an init container of its
pod calls this; on this machine lab up does the same by itself.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usageError{fmt.Errorf("%s takes a component and its folder, but got %q", cmd.CommandPath(), args)}
			}
			if !storefile.Mends(args[0]) {
				return usageError{fmt.Errorf("%s knows no files of %q", cmd.CommandPath(), args[0])}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			damaged, err := storefile.Mend(args[0], args[1])
			printDamaged(e.stdout, damaged, err, "The files of "+args[0]+" are whole.")
			return err
		},
	}
}
