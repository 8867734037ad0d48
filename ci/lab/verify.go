package main

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// verifyFlags are the command's own, besides those of a lab that it may bring up.
type verifyFlags struct {
	up          upFlags
	load        trafficFlags
	output, run string
	files       reportFiles
	own         bool
}

func verifyCommand(e *env) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Prove that the lab's telemetry flows",
		Long: `verify sends requests to the running lab and checks what became of them in Loki,
Tempo and Mimir: that a request is one joined trace, with its log lines and its
counted metrics; that of all requests sent none is missing and none is counted
twice; that exemplars lead to traces; and how long all that took. Then it asks what
Grafana and the ruler ask: that every panel of every dashboard has data, every link
between the signals leads somewhere, every rule is evaluated, and Grafana, where it
runs, has all that. It prints a table of what it measured and exits with 1 when a
check does not hold.

With --up it starts a lab of its own, on free ports and in a temporary folder, and
takes it down afterwards. The traffic that completeness is proved with is --traffic
(default smoke); --run FILE or --run last takes traffic that was sent before.`,
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
	flags.StringVarP(&f.output, "output", "o", "table", "table, json or junit")
	f.files.register(cmd)
	for _, name := range upOnly {
		if name != "no-faults" { // it says of any lab that its requests cannot ask for faults
			onlyWith(flags, "up", name)
		}
	}
	annotate(flags, "no-faults", onTargets, nil)
	cmd.MarkFlagsMutuallyExclusive("run", "up")
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
	args := append([]string{"verify"}, given(cmd, append(trafficFlagNames, "traffic", "no-faults")...)...)
	if run != nil {
		raw, err := json.Marshal(run)
		if err != nil {
			return err
		}
		args = append(args, "--run="+string(raw))
	}
	result, err := target.Do(cmd.Context(), t, target.Work[report.Report]{
		Args: args, Asks: target.All(), Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (report.Report, error) {
			return verify.Run(ctx, verify.Options{
				Addresses: at, Kubernetes: at.InCluster(), Profile: profile, NoFaults: f.up.noFaults, Run: run, Progress: e.step,
			})
		},
	})
	if err != nil {
		return err
	}
	return e.writeReport(result, format, files)
}

// savedRun reads a report of traffic: a file's, the last of this lab, or one that is
// on the command line itself; nil for none.
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
