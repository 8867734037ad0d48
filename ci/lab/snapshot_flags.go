package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
)

// snapshotFlags say which panels a snapshot draws, and to which files.
type snapshotFlags struct {
	output, png, commit string
	last                time.Duration
	variables           []string

	file, browser string
}

func (f *snapshotFlags) register(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.output, "output", "o", "table", "table or json")
	cmd.Flags().StringVar(&f.png, "png", "", "draw the page into this `FILE` too")
	cmd.Flags().DurationVar(&f.last, "last", 0, "how far back to look (default as far as each dashboard does, but no further than the lab's first sample)")
	cmd.Flags().StringArrayVar(&f.variables, "var", nil, "a value for a variable of the dashboards, `NAME=VALUE`, such as service=frontend; may be repeated")
	cmd.Flags().StringVar(&f.commit, "commit", "", "the commit that the lab was built from, which the page shows (default the checkout's, or this program's version)")
}

// options reads the flags.
func (f *snapshotFlags) options(cmd *cobra.Command) (snapshot.Options, error) {
	o := snapshot.Options{Last: f.last, Variables: map[string]string{}, Commit: f.commit}
	if o.Commit == "" {
		o.Commit = checkout.Commit(cmd.Context())
	}
	if v := command.Version(); o.Commit == "" && command.IsPublished(v) {
		o.Commit = v
	}
	if cmd.Flags().Changed("last") && f.last < time.Minute {
		return o, usageError{fmt.Errorf("--last %v: want a minute or more", f.last)}
	}
	for _, assignment := range f.variables {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok || name == "" {
			return o, usageError{fmt.Errorf("--var %q: want NAME=VALUE, such as service=frontend", assignment)}
		}
		o.Variables[name] = value
	}
	return o, oneOf("output", f.output, "table", "json")
}
