package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/snapshot"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// The targets that a command may be told to work on.
const (
	onLocal   = "local"     // processes on this machine
	onKind    = "kind"      // a Kind cluster
	onCluster = "incluster" // the cluster that this program runs in, in a pod
)

// A site is a target as the commands use it. This is the one place where targets
// differ for them; what they print and how they exit is the same on each.
type site interface {
	// up brings the lab up and says where it is.
	up(ctx context.Context, f upFlags) error
	// down stops the lab; reset deletes its data too.
	down(ctx context.Context) error
	reset(ctx context.Context) error
	// status shows how the components are, and fails when one is not ready.
	status(ctx context.Context, asJSON bool) error
	// logs writes what a component has printed.
	logs(ctx context.Context, w io.Writer, name string, follow bool) error
	// own brings up a lab for the purpose of the caller, who takes it down.
	own(ctx context.Context, f upFlags) (down func(), lab site, err error)

	// traffic sends requests, verify checks what became of them, endpoints asks
	// every endpoint. Each returns a report; an error says that there is none.
	traffic(ctx context.Context, o trafficRun) (traffic.Report, error)
	verify(ctx context.Context, o verifyRun) (report.Report, error)
	endpoints(ctx context.Context, o endpointsRun) (report.Report, error)
	// trace writes one trace, with its log lines.
	trace(ctx context.Context, w io.Writer, id string) error
	// snapshot draws the dashboards; the page is in the listing.
	snapshot(ctx context.Context, o snapshotRun) (snapshot.Listing, error)
	// lastRun is the file with the report of the last traffic, "" when none is kept.
	lastRun() (string, error)
}

// trafficRun is traffic as it was asked for. flags are the same in the words of
// the command line, for a lab elsewhere.
type trafficRun struct {
	traffic.Options
	flags []string
}

// verifyRun is a verification as it was asked for, as trafficRun is traffic.
type verifyRun struct {
	verify.Options
	flags []string
}

// endpointsRun says where the services are; empty addresses are the target's.
type endpointsRun struct {
	frontend, backend string
	flags             []string
}

// targetFlags choose the target.
type targetFlags struct {
	name, cluster string
}

func (g *targetFlags) register(e *env, flags *pflag.FlagSet) {
	flags.StringVar(&g.name, "target", cmp.Or(e.getenv("LAB_TARGET"), onLocal),
		"where the lab is: local (processes on this machine) or kind (a cluster in a container); in a pod, cluster (default $LAB_TARGET, or local)")
	flags.StringVar(&g.cluster, "cluster", cmp.Or(e.getenv("LAB_CLUSTER"), cluster.DefaultName), "with --target kind: the cluster's `NAME`")
}

// site returns the target that the command line chooses.
func (e *env) site() (site, error) {
	switch e.chosen.name {
	case onLocal:
		return localSite{e}, nil
	case onKind:
		return kindSite{e, e.chosen.cluster}, nil
	case onCluster:
		return podSite{e}, nil
	}
	return nil, oneOf("target", e.chosen.name, onLocal, onKind, onCluster)
}

// check refuses flags that mean nothing on the chosen target: those are a
// misunderstanding, and better told than ignored.
func (g *targetFlags) check(cmd *cobra.Command, only map[string][]string) error {
	for _, name := range slices.Sorted(maps.Keys(only)) {
		f := cmd.Flags().Lookup(name)
		if f != nil && f.Changed && !slices.Contains(only[name], g.name) {
			return usageError{fmt.Errorf("--%s is for --target %s, not for %s", name, strings.Join(only[name], " or "), g.name)}
		}
	}
	return nil
}

// given lists the flags of those names that are on the command line, as they can
// be given to another `lab`.
func given(cmd *cobra.Command, names ...string) []string {
	var args []string
	for _, name := range names {
		f := cmd.Flags().Lookup(name)
		if f == nil || !f.Changed {
			continue
		}
		args = append(args, "--"+name+"="+f.Value.String())
	}
	return args
}

// notHere is the error of a command that a target does not have.
func notHere(what string) error {
	return usageError{fmt.Errorf("%s: not on the target %s", what, onCluster)}
}
