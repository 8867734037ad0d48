package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

func statusCommand(e *env) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show how every component is",
		Long: `status asks every component whether it is ready and shows its process, memory and
address. It exits with 1 when the lab is not up or a component is not ready.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := oneOf("output", output, "table", "json"); err != nil {
				return err
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.status(cmd.Context(), output == "json")
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table or json")
	return cmd
}

func statusTable(w io.Writer, state *local.State, components []local.Component) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMPONENT\tSTATE\tPROCESS\tMEMORY\tADDRESS\tDETAIL")
	var memory uint64
	for _, c := range components {
		memory += c.Memory
		fmt.Fprintf(t, "%s\t%s\t%d\t%d MB\t%s\t%s\n", c.Name, c.State, c.PID, c.Memory>>20, c.URL, c.Detail)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\nUp for %v; %d MB of memory in all.\n", time.Since(state.Started).Round(time.Second), memory>>20)
	return err
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func logsCommand(e *env) *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use:   "logs NAME",
		Short: "Print what a component has printed",
		Long:  "logs prints a component's own log: frontend, backend, alloy, loki, tempo, mimir or grafana.",
		Args: func(cmd *cobra.Command, args []string) error {
			if err := cobra.ExactArgs(1)(cmd, args); err != nil {
				return usageError{fmt.Errorf("logs wants one component's name: %w", err)}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := e.site()
			if err != nil {
				return err
			}
			return s.logs(cmd.Context(), e.stdout, args[0], follow)
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on printing what is added")
	return cmd
}
