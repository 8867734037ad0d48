package main

import (
	"cmp"
	"context"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

func endpointsCommand(e *env) *cobra.Command {
	var output, frontend, backend string
	cmd := &cobra.Command{
		Use:   "test-endpoints",
		Short: "Check that every endpoint of both services answers as documented",
		Long: `test-endpoints sends good and bad input to every endpoint of the frontend and the
backend, and compares the answers, errors included, with the documentation.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := report.ParseFormat(output)
			if err != nil {
				return usageError{err}
			}
			t, err := e.lab()
			if err != nil {
				return err
			}
			r, err := target.Do(cmd.Context(), t, target.Work[report.Report]{
				Args: append([]string{"test-endpoints"}, given(cmd, "frontend", "backend")...),
				Asks: []string{target.Frontend, target.Backend},
				Here: func(ctx context.Context, at target.Addresses) (report.Report, error) {
					if cmp.Or(frontend, at.Frontend) == "" {
						return report.Report{}, errNoServices
					}
					return endpoints.Report(ctx, endpoints.Target{Frontend: cmp.Or(frontend, at.Frontend), Backend: cmp.Or(backend, at.Backend), TLS: at.TLS}), nil
				},
				NeedsNoLab: frontend != "" && backend != "", Remark: e.say,
			})
			if err != nil {
				return err
			}
			return e.writeReport(r, format, &report.Files{})
		},
	}
	e.registerTarget(cmd)
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json, junit or markdown")
	cmd.Flags().StringVar(&frontend, "frontend", "", "the frontend's `URL` (default that of the running lab)")
	cmd.Flags().StringVar(&backend, "backend", "", "the backend's `URL` (default that of the running lab)")
	return cmd
}
