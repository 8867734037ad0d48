package main

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
)

// retentionFlags say how long the lab keeps telemetry: all of it, or one signal.
type retentionFlags struct {
	all  time.Duration
	each retention.Periods
	flag *pflag.Flag // that of all
}

// register adds the flags. usual is the period without any of them; with 0 it is the
// overlay's.
func (f *retentionFlags) register(flags *pflag.FlagSet, usual time.Duration) {
	text := "how long logs, traces and metrics are kept: whole hours, at least 24h"
	if usual == 0 {
		text += " (default the overlay's)"
	}
	flags.DurationVar(&f.all, "retention", usual, text)
	f.flag = flags.Lookup("retention")
	flags.DurationVar(&f.each.Logs, "retention-logs", 0, "how long Loki keeps logs (default --retention)")
	flags.DurationVar(&f.each.Traces, "retention-traces", 0, "how long Tempo keeps traces (default --retention)")
	flags.DurationVar(&f.each.Metrics, "retention-metrics", 0, "how long Mimir keeps metrics (default --retention)")
	text = "how long Loki keeps who changed users"
	if usual == 0 {
		text += " (default the overlay's)"
	} else {
		text += " (default 8760h, a year)"
	}
	flags.DurationVar(&f.each.Audit, "retention-audit", 0, text)
}

// retentionFlagNames are the names of the flags.
var retentionFlagNames = []string{"retention", "retention-logs", "retention-traces", "retention-metrics", "retention-audit"}

// asked returns the periods that the command line names; 0 for the others.
func (f retentionFlags) asked() retention.Periods {
	if f.flag != nil && f.flag.Changed { // a command that brings no lab up has no such flag
		return f.periods()
	}
	return f.each
}

// periods returns the period of each signal.
func (f retentionFlags) periods() retention.Periods { return f.each.Or(f.all) }
