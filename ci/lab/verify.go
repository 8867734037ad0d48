package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// verifyFlags are the flags of verify, with those of the lab that --up brings up.
type verifyFlags struct {
	up          upFlags
	load        trafficFlags
	output, run string
	service     string
	since       time.Duration
	files       reportFiles
	own         bool
}

// describing are flags of up that also describe a lab that runs already: how it should be.
var describing = append([]string{"no-faults"}, retentionFlagNames...)

func verifyCommand(e *env) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that the lab's telemetry flows",
		Long: `verify sends requests to the running lab and looks for their telemetry in Loki, Tempo
and Mimir. It checks that each request is one joined trace, with its log lines and its
counted metrics; that no request is missing or counted twice; that exemplars lead to
traces; and how long all that took. Then it checks that every panel of every dashboard
has data, that every link between the signals leads to data, that Mimir evaluates every
rule, and that Grafana, where it runs, has these dashboards and links. It asks the
programs that run how long they keep each signal, and compares with --retention and
its like where they are given. It prints a table of the measured values and exits with 1
when a check does not hold.

With --up it starts a lab of its own, on free ports and in a temporary folder, or with
--target kind in a cluster with a name of its own, and takes that lab down afterwards.
--traffic names the traffic for the proof of completeness (default smoke); --run FILE or
--run last proves it for traffic that was sent before.

With --service it sends nothing and looks at another application instead: whether the
stores have telemetry of the service with this name, and whether every panel of the
dashboards that applies to such a service has data when the service is chosen.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return e.verify(cmd, &f) },
	}
	e.registerTarget(cmd)
	upOnly := f.up.register(cmd)
	f.load.register(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.load.profile, "traffic", traffic.Profiles()[0].Name, "the traffic to prove completeness with: smoke, steady or heavy")
	flags.StringVar(&f.run, "run", "", "prove completeness for traffic sent before: a `FILE` that `lab traffic -o json` wrote, or \"last\"")
	flags.BoolVar(&f.own, "up", false, "start a lab for the purpose and take it down afterwards")
	flags.StringVarP(&f.output, "output", "o", "table", "table, json, junit or markdown")
	flags.StringVar(&f.service, "service", "", "look at the dashboards for the service with this `NAME` (its service.name) instead")
	flags.DurationVar(&f.since, "since", 5*time.Minute, "how old the telemetry of --service may be")
	onlyWith(flags, "service", "since")
	f.files.register(cmd)
	for _, name := range upOnly {
		if !slices.Contains(describing, name) {
			onlyWith(flags, "up", name)
		}
	}
	for _, name := range describing {
		annotate(flags, name, onTargets, nil)
	}
	cmd.MarkFlagsMutuallyExclusive("run", "up", "service")
	cmd.MarkFlagsMutuallyExclusive("traffic", "service")
	return cmd
}

func (e *env) verify(cmd *cobra.Command, f *verifyFlags) error {
	format, err := report.ParseFormat(f.output)
	if err != nil {
		return usageError{err}
	}
	profile, err := f.load.resolve(cmd)
	if err != nil {
		return err
	}
	if cmd.Flags().Changed("service") {
		return e.verifyService(cmd, f, format)
	}
	if f.up.noFaults {
		profile.Slow, profile.Error = 0, 0
	}
	if f.run != "" && f.own {
		return usageError{errors.New("--run and --up do not go together: a new lab has seen no traffic")}
	}
	t, err := e.wanted(&f.up)
	if err != nil {
		return err
	}
	run, err := savedRun(t, f.run)
	if err != nil {
		return err
	}
	files, err := f.files.create()
	if err != nil {
		return err
	}
	defer files.Discard()
	if f.own {
		own, release, err := t.Temporary(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		t = own
	}
	args := append([]string{"verify"}, given(cmd, slices.Concat(trafficFlagNames, []string{"traffic"}, describing)...)...)
	if run != nil {
		raw, err := json.Marshal(run)
		if err != nil {
			return err
		}
		args = append(args, "--run="+string(raw))
	}
	asked := f.up.retention.asked()
	if f.own {
		asked = f.up.retention.periods() // what the lab was brought up with
	}
	result, err := target.Do(cmd.Context(), t, target.Work[report.Report]{
		Args: args, Asks: target.All(), Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (report.Report, error) {
			return verify.Run(ctx, verify.Options{
				Addresses: at, Kubernetes: at.InCluster(), Profile: profile, NoFaults: f.up.noFaults, Run: run, Retention: asked, Progress: e.step,
			})
		},
	})
	if err != nil {
		return err
	}
	return e.writeReport(result, format, files)
}

// verifyService looks at the dashboards for a service of somebody else's.
func (e *env) verifyService(cmd *cobra.Command, f *verifyFlags, format report.Format) error {
	if f.service == "" || f.since <= 0 {
		return usageError{errors.New("--service takes a name, and --since a time above zero")}
	}
	t, err := e.wanted(&f.up)
	if err != nil {
		return err
	}
	files, err := f.files.create()
	if err != nil {
		return err
	}
	defer files.Discard()
	result, err := target.Do(cmd.Context(), t, target.Work[report.Report]{
		Args: append([]string{"verify"}, given(cmd, "service", "since")...), Asks: verify.ServiceAsks(), Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (report.Report, error) {
			return verify.Service(ctx, verify.Options{Addresses: at, Kubernetes: at.InCluster(), Progress: e.step}, f.service, f.since)
		},
	})
	if err != nil {
		return err
	}
	return e.writeReport(result, format, files)
}

// savedRun reads the report of earlier traffic: from a file, from the last traffic of this
// lab, or from the command line itself; nil without a name.
func savedRun(t target.Target, name string) (_ *traffic.Report, err error) {
	if name == "last" {
		if name, err = t.TrafficFile(); err != nil {
			return nil, err
		}
	}
	if name == "" {
		return nil, nil
	}
	return traffic.Load(name)
}
