package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/services"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// servicesFlags are the flags of services.
type servicesFlags struct {
	since  time.Duration
	output string
}

func servicesCommand(e *env) *cobra.Command {
	var f servicesFlags
	cmd := &cobra.Command{
		Use:   "services",
		Short: "List every service that sends telemetry to the lab",
		Long: `services lists every service that the stores have telemetry of: how many spans and log
lines it sends a minute, how many metric series it has, when its latest telemetry is of,
and its Instrumentation Score if the lab is up with --inspect.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.services(cmd, f) },
	}
	e.registerTarget(cmd)
	cmd.Flags().DurationVar(&f.since, "since", 15*time.Minute, "how old the telemetry may be")
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	return cmd
}

func (e *env) services(cmd *cobra.Command, f servicesFlags) error {
	if err := oneOf("output", f.output, "table", "json"); err != nil {
		return err
	}
	if f.since < time.Minute {
		return usageError{errors.New("--since wants a minute or more")}
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	list, err := target.Do(cmd.Context(), t, target.Work[services.List]{
		Args: append([]string{"services"}, given(cmd, "since")...), Asks: []string{target.Loki, target.Tempo, target.Mimir}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (services.List, error) {
			return listServices(ctx, at, f.since)
		},
	})
	if err != nil {
		return err
	}
	if f.output == "json" {
		return report.Encode(e.stdout, kindServices, list)
	}
	return list.WriteText(e.stdout, time.Now())
}

// listServices asks the stores, and the inspector for the scores.
func listServices(ctx context.Context, at target.Addresses, since time.Duration) (services.List, error) {
	stores := query.NewStores(at.Tempo, at.Loki, at.Mimir, at.Client(30*time.Second))
	list, err := services.Find(ctx, stores, since, time.Now())
	if err != nil {
		return list, err
	}
	for i := range list.Services {
		seen, err := inspector.Client{URL: at.Inspector, HTTP: stores.Tempo.HTTP}.Facts(ctx, list.Services[i].Name, "")
		switch {
		case err == nil:
			list.Services[i].Score = new(score.Evaluate(seen, time.Now()).Score)
		case errors.Is(err, inspector.ErrNoFacts): // it sent nothing since the lab keeps facts
		default:
			list.NoScore = err.Error()
			return list, nil
		}
	}
	return list, nil
}
