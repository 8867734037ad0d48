package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
)

// samplingFlags say which traces the lab keeps.
type samplingFlags struct {
	share string
	slow  time.Duration
}

func (f *samplingFlags) register(flags *pflag.FlagSet) {
	flags.StringVar(&f.share, "sample-traces", "", "keep a `SHARE` of the traces, such as 10%, besides all with an error and all slow ones; metrics and logs are kept whole (default: keep all)")
	flags.DurationVar(&f.slow, "sample-slow", sampling.UsualSlow, "with --sample-traces, how long a trace takes that is kept for it")
	onlyWith(flags, "sample-traces", "sample-slow")
}

func (f samplingFlags) traces() (sampling.Traces, error) { return sampling.Parse(f.share, f.slow) }
