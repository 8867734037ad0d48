package main

import (
	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// trafficFlags choose and change a traffic profile, for traffic and for verify.
type trafficFlags struct {
	profile      string
	overrides    traffic.Overrides
	slow, errors float64
	seed         uint64
}

// trafficFlagNames names the flags that register adds. The Job in a cluster gets these:
// a flag that is missing here means nothing on Kind.
var trafficFlagNames = []string{"rate", "requests", "duration", "slow", "errors", "seed"}

func (f *trafficFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.Float64Var(&f.overrides.Rate, "rate", 0, "requests per second (default the profile's)")
	flags.IntVar(&f.overrides.Requests, "requests", 0, "number of requests (default the profile's)")
	flags.DurationVar(&f.overrides.Duration, "duration", 0, "how long to send (default the profile's)")
	flags.Float64Var(&f.slow, "slow", 0, "share of requests with a slow query, 0 to 1 (default the profile's)")
	flags.Float64Var(&f.errors, "errors", 0, "share of requests with a failing query, 0 to 1 (default the profile's)")
	flags.Uint64Var(&f.seed, "seed", 0, "seed of the order of the requests (default the profile's)")
}

// resolve returns the profile, changed by the flags that are on the command line.
func (f *trafficFlags) resolve(cmd *cobra.Command) (traffic.Profile, error) {
	p, err := traffic.ByName(f.profile)
	if err != nil {
		return p, usageError{err}
	}
	o := f.overrides
	if cmd.Flags().Changed("slow") {
		o.Slow = &f.slow
	}
	if cmd.Flags().Changed("errors") {
		o.Error = &f.errors
	}
	if cmd.Flags().Changed("seed") {
		o.Seed = &f.seed
	}
	if p, err = p.With(o); err != nil {
		return p, usageError{err}
	}
	return p, nil
}
