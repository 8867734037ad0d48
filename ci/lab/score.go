package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// scoreDocument is the JSON of `lab score`.
type scoreDocument struct {
	score.Card
	// Findings do not count towards the score.
	Findings []findings.Finding `json:"findings"`
}

// scoreFlags are the flags of score.
type scoreFlags struct {
	run, output string
	atLeast     float64
}

func scoreCommand(e *env) *cobra.Command {
	var f scoreFlags
	cmd := &cobra.Command{
		Use:   "score SERVICE",
		Short: "Say how well a service is instrumented, by the Instrumentation Score",
		Long: `score gives a service its Instrumentation Score, from 0 to 100, by the rules of the open
specification and no others: which rules it fails, with evidence and with what to change;
which rules the data does not decide, and why. Beside the score it lists findings, such as
deprecated attributes, ids in span names and secrets. They do not count.

The lab must be up with --inspect. The score is of all that the service has sent since; with
--run of one run of lab run. With --at-least a lower score makes the exit code 1.

    lab up --inspect
    lab score frontend`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("score wants the name of one service, as service.name has it")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.score(cmd, args[0], f) },
	}
	e.registerTarget(cmd)
	cmd.Flags().StringVar(&f.run, "run", "", "the `ID` of a run: what lab.run.id has")
	cmd.Flags().Float64Var(&f.atLeast, "at-least", 0, "the lowest score that is good enough")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	return cmd
}

func (e *env) score(cmd *cobra.Command, service string, f scoreFlags) error {
	if err := oneOf("output", f.output, "text", "json"); err != nil {
		return err
	}
	if f.atLeast < 0 || f.atLeast > 100 {
		return usageError{fmt.Errorf("--at-least %v: want 0 to 100", f.atLeast)}
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	args := []string{"score", service}
	if f.run != "" {
		args = append(args, "--run", f.run)
	}
	found, err := target.Do(cmd.Context(), t, target.Work[scoreDocument]{
		Args: args, Asks: []string{target.Inspector}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (scoreDocument, error) {
			return scoreOf(ctx, at, service, f.run)
		},
	})
	if err != nil {
		return err
	}
	if f.output == "json" {
		err = report.Encode(e.stdout, kindScore, found)
	} else {
		err = writeScore(e, found)
	}
	if err == nil && found.Score < f.atLeast {
		return fmt.Errorf("the score of %s is %v, below %v", service, found.Score, f.atLeast)
	}
	return err
}

// scoreOf asks the inspector for a service's facts, and judges them.
func scoreOf(ctx context.Context, at target.Addresses, service, run string) (scoreDocument, error) {
	seen, err := inspector.Client{URL: at.Inspector, HTTP: at.Client(30 * time.Second)}.Facts(ctx, service, run)
	if err != nil {
		return scoreDocument{}, err
	}
	return scoreDocument{score.Evaluate(seen, time.Now()), findings.Find(seen)}, nil
}

func writeScore(e *env, found scoreDocument) error {
	if err := found.WriteText(e.stdout); err != nil {
		return err
	}
	fmt.Fprintln(e.stdout)
	return findings.WriteText(e.stdout, found.Findings)
}
