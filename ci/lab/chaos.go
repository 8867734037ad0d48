package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/chaos"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// chaosFlags are the flags of chaos, with those of the lab that --up brings up.
type chaosFlags struct {
	up       upFlags
	own      bool
	list     bool
	alerts   bool
	rate     float64
	output   string
	files    reportFiles
	observe  time.Duration
	patience time.Duration
}

func chaosCommand(e *env) *cobra.Command {
	var f chaosFlags
	cmd := &cobra.Command{
		Use:   "chaos [SCENARIO…]",
		Short: "Do harm to the lab, and prove what it withstands",
		Long: `chaos sends steady traffic to the running lab and does harm to the lab meanwhile: it kills,
ends and freezes components, one scenario after another (all without a SCENARIO; a * in a
name stands for any letters, such as kill-*). After each it takes the account: whether every
user that was created is there, whether every request has its trace, its log lines and its
count, and none twice; how long after the end of the harm each signal was fresh; which
alerts fired. It exits with 1 when a promise of docs/promises.md is broken.

The lab's own processes or pods alone are touched. What was ended is started again, and
what is frozen is thawed, also after Ctrl-C.

With --up it starts a lab of its own, on free ports and in a temporary folder, or with
--target kind in a cluster with a name of its own, and takes that lab down afterwards.
Scenarios that destroy stored data run on such a lab only.`,
		RunE: func(cmd *cobra.Command, args []string) error { return e.chaos(cmd, args, &f) },
	}
	e.registerTarget(cmd)
	upOnly := f.up.register(cmd)
	flags := cmd.Flags()
	flags.BoolVar(&f.own, "up", false, "start a lab for the purpose and take it down afterwards")
	flags.BoolVar(&f.list, "list", false, "list the scenarios, and do nothing")
	flags.BoolVar(&f.alerts, "alerts", false, "local: let each harm last until its alert fires, and wait until the alert is over")
	flags.Float64Var(&f.rate, "rate", 0, "requests per second (default the scenario's, mostly 20)")
	flags.StringVarP(&f.output, "output", "o", "table", "table, json, junit or markdown")
	f.files.register(cmd)
	flags.DurationVar(&f.observe, "observe", 0, "send the traffic for so long, and print the observation as JSON: the part that runs inside a cluster")
	flags.DurationVar(&f.patience, "patience", chaos.DefaultPatience, "with --observe: how long telemetry may take to arrive after the traffic")
	_ = flags.MarkHidden("observe")
	_ = flags.MarkHidden("patience")
	onlyWith(flags, "observe", "patience")
	onlyOn(flags, []string{target.Local}, "alerts")
	for _, name := range upOnly {
		onlyWith(flags, "up", name)
	}
	return cmd
}

func (e *env) chaos(cmd *cobra.Command, words []string, f *chaosFlags) error {
	if f.observe > 0 {
		return e.chaosObserve(cmd.Context(), f)
	}
	scenarios, err := chaos.Choose(words)
	if err != nil {
		return usageError{err}
	}
	if f.list {
		return chaos.WriteList(e.stdout, scenarios)
	}
	format, err := report.ParseFormat(f.output)
	if err != nil {
		return usageError{err}
	}
	if f.rate < 0 {
		return usageError{errors.New("--rate must not be negative")}
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
	if f.own {
		own, release, err := t.Temporary(cmd.Context())
		if err != nil {
			return err
		}
		defer release()
		t = own
	}
	lab, ok := t.(target.Breakable)
	if !ok {
		return fmt.Errorf("chaos: %w", target.ErrNotHere)
	}
	if at, isReachable := t.(target.Reachable); isReachable {
		if reached, err := at.Addresses(cmd.Context()); err == nil && reached.TLS != nil {
			return errors.New("chaos: the lab is closed, and chaos has no certificate yet; run it against an open lab")
		}
	}
	e.say(fmt.Sprintf("%d scenarios; what they do to the lab: `lab chaos --list`", len(scenarios)))
	result, err := chaos.Run(cmd.Context(), chaos.Options{
		Scenarios: scenarios, Lab: lab, Target: e.target.name, Own: f.own, AwaitAlerts: f.alerts, Rate: f.rate, Say: e.step, Line: e.line,
	})
	if err != nil && len(result.Scenarios) == 0 {
		return err // nothing was done, so there is nothing to account for
	}
	if writeErr := e.writeChaos(result, format, files); writeErr != nil {
		return errors.Join(err, writeErr)
	}
	return err
}

// chaosObserve is the part of a scenario that runs inside the target.
func (e *env) chaosObserve(ctx context.Context, f *chaosFlags) error {
	t, err := e.wanted(&f.up)
	if err != nil {
		return err
	}
	observation, err := target.Do(ctx, t, target.Work[chaos.Observation]{
		Args: []string{"chaos"}, Asks: target.All(),
		Here: func(ctx context.Context, at target.Addresses) (chaos.Observation, error) {
			return chaos.Observe(ctx, chaos.ObserveOptions{Addresses: at, Rate: f.rate, Duration: f.observe, Patience: f.patience, Progress: e.step})
		},
	})
	if err != nil {
		return err
	}
	return report.Encode(e.stdout, kindObservation, observation)
}

// writeChaos prints the result, even when a file cannot be written, and returns errFailed
// when a promise was broken.
func (e *env) writeChaos(r chaos.Result, format report.Format, files *report.Files) error {
	var err error
	switch format {
	case report.JSON:
		err = report.Encode(e.stdout, kindChaos, r)
	case report.Table:
		err = r.WriteTable(e.stdout)
	default:
		err = report.Write(e.stdout, format, r.Report())
	}
	if err := errors.Join(err, files.Write(r.Report())); err != nil {
		return err
	}
	if !r.OK {
		return errFailed
	}
	return nil
}
