package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspect"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// inspectFlags are the flags of inspect.
type inspectFlags struct{ run, html, output string }

func inspectCommand(e *env) *cobra.Command {
	var f inspectFlags
	cmd := &cobra.Command{
		Use:   "inspect SERVICE",
		Short: "Show all that a service emits",
		Long: `inspect shows all that a service emits: its operations with their kinds and rates, its log
records by severity, its metrics with types, units, series and attributes, every attribute
with the number of its values and examples, its Instrumentation Score, and findings.

The lab must be up with --inspect; lab services lists the services. With --html FILE the
inspection becomes one page for a browser, which needs no other file.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usageError{errors.New("inspect wants the name of one service, as service.name has it")}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.inspect(cmd, args[0], f) },
	}
	e.registerTarget(cmd)
	cmd.Flags().StringVar(&f.run, "run", "", "the `ID` of a run: what lab.run.id has")
	cmd.Flags().StringVar(&f.html, "html", "", "write a page for a browser to this `FILE`; - is standard output")
	cmd.Flags().StringVarP(&f.output, "output", "o", "text", "text or json")
	cmd.MarkFlagsMutuallyExclusive("html", "output")
	return cmd
}

func (e *env) inspect(cmd *cobra.Command, service string, f inspectFlags) error {
	if err := oneOf("output", f.output, "text", "json"); err != nil {
		return err
	}
	t, err := e.lab()
	if err != nil {
		return err
	}
	found, err := target.Do(cmd.Context(), t, target.Work[inspect.Inspection]{
		Args: append([]string{"inspect", service}, given(cmd, "run")...), Asks: []string{target.Inspector}, Remark: e.say,
		Here: func(ctx context.Context, at target.Addresses) (inspect.Inspection, error) {
			seen, err := inspector.Client{URL: at.Inspector, HTTP: at.Client(30 * time.Second)}.Facts(ctx, service, f.run)
			return inspect.Of(seen, time.Now()), err
		},
	})
	if err != nil {
		return err
	}
	switch {
	case f.output == "json":
		return report.Encode(e.stdout, kindInspection, found)
	case f.html == "":
		return found.WriteText(e.stdout)
	case f.html == toStdout:
		return found.WriteHTML(e.stdout)
	}
	if err := writeFile(f.html, found.WriteHTML); err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s shows what %s emits; %s\n", f.html, report.OneLine(service), found.Score.Line())
	return nil
}
