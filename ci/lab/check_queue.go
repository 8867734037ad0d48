package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/queuefile"
)

// checkQueueCommand is for the init container of Alloy's pod, so the help does not list it.
func checkQueueCommand(e *env) *cobra.Command {
	return &cobra.Command{
		Use:    "check-queue FOLDER",
		Short:  "Set damaged files of Alloy's queues aside, before Alloy starts",
		Hidden: true,
		Long: `check-queue reads every file in the folder of Alloy's queues, and renames those that
would end Alloy at each start. Alloy must not be running. In a cluster an init container of
Alloy's pod calls it; on this machine lab up does the same by itself.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{fmt.Errorf("%s takes one folder, but got %q", cmd.CommandPath(), args)}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			damaged, err := queuefile.SetAside(args[0])
			printDamaged(e.stdout, damaged, err, "Alloy's queues are whole.")
			return err
		},
	}
}

// printDamaged prints what was set aside, also beside an error; without either it prints that
// all is whole.
func printDamaged[T any](w io.Writer, damaged []T, err error, whole string) {
	for _, d := range damaged {
		fmt.Fprintln(w, d)
	}
	if err == nil && len(damaged) == 0 {
		fmt.Fprintln(w, whole)
	}
}
