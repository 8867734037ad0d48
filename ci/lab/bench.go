package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/bench"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// benchFlags are the flags of bench.
type benchFlags struct {
	output, write, compare, profiles string
	from                             []string
	short, measure                   bool
	spans                            int
	up                               upFlags
}

func benchCommand(e *env) *cobra.Command {
	var f benchFlags
	cmd := &cobra.Command{
		Use:   "bench [FIGURE…]",
		Short: "Measure what the lab costs",
		Long: "bench measures the figures that are named, or all of them, and prints tables. A figure\n" +
			"that needs a lab brings up one of its own on this machine, on free ports and in a\n" +
			"temporary folder. Two things are compared in turns, in one run. Figures:\n\n" + bench.Titles() +
			"\nA figure that needs a program which is not here is skipped, with the command that\n" +
			"provides it. Leave the machine alone meanwhile; all figures take about an hour.\n\n" +
			"--compare committed is the check of CI: it compares ratios, never times, with those that\n" +
			"are built into this program, and exits with 1 when one is worse by more than its margin.",
		Args: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				if names := bench.Names(); !slices.Contains(names, name) {
					return usageError{fmt.Errorf("no figure %q; there are %s", name, strings.Join(names, ", "))}
				}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return e.bench(cmd.Context(), &f, args) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&f.output, "output", "o", "table", "table, json or markdown")
	flags.BoolVar(&f.short, "short", false, "measure for seconds: enough for a ratio, not for a table")
	flags.StringVar(&f.compare, "compare", "", "compare with the ratios of this `FILE`, or with \"committed\" ones")
	flags.StringArrayVar(&f.from, "from", nil, "add the figures of this `FILE`, as -o json wrote it, that are not measured now; may be repeated, the first file that has a figure counts")
	flags.BoolVar(&f.measure, "measure", true, "with false, measure nothing, and write what --from has")
	flags.StringVar(&f.write, "write", "", "write the tables into this Markdown `FILE`, between its marks")
	flags.StringVar(&f.profiles, "profiles", "", "write profiles of the services' processor time to this `FOLDER`")
	flags.IntVar(&f.spans, "spans", 1_000_000, "growth: the most spans to store")
	e.registerTarget(cmd)
	f.up.register(cmd)
	return cmd
}

func (e *env) bench(ctx context.Context, f *benchFlags, names []string) error {
	if err := oneOf("output", f.output, "table", "json", "markdown"); err != nil {
		return err
	}
	earlier, err := readBench(f.from)
	if err != nil {
		return err
	}
	if !f.measure {
		return e.writeBench(earlier, f)
	}
	margins, err := bench.Margins(f.compare)
	if err != nil {
		return err
	}
	if e.target.name != target.Local {
		return usageError{errors.New("bench reads what the processes of this machine take: it has no --target but local")}
	}
	if f.up.closed {
		return usageError{errors.New("bench measures open labs: it has no --closed")}
	}
	t, err := e.wanted(&f.up)
	if err != nil {
		return err
	}
	o := bench.Options{
		Figures: names, Short: f.short, Root: checkout.Find().Root, Version: command.Version(), Lab: t, Self: e.self,
		Cache: f.up.cache, Spans: f.spans, Profiles: f.profiles, Say: e.say, Line: e.line,
	}
	measured, err := bench.Run(ctx, o)
	r := measured.Merge(earlier)
	if len(r.Figures) > 0 {
		err = errors.Join(err, e.writeBench(r, f))
	}
	if err != nil {
		return err
	}
	if worse := margins.Worse(measured); len(worse) > 0 {
		for _, line := range worse {
			e.say(line)
		}
		return errFailed
	}
	return nil
}

// readBench reads earlier reports, of which the first that has a figure counts.
func readBench(names []string) (all bench.Report, err error) {
	for i, name := range names {
		var r bench.Report
		doc, err := os.ReadFile(name)
		if err == nil {
			err = report.Decode(doc, kindBench, &r)
		}
		if err != nil {
			return all, fmt.Errorf("reading the figures of %s: %w", name, err)
		}
		if i == 0 {
			all = r
		} else {
			all = all.Merge(r)
		}
	}
	return all, nil
}

// writeBench prints the report, and writes its tables into a file if one is named.
func (e *env) writeBench(r bench.Report, f *benchFlags) error {
	var err error
	switch f.output {
	case "json":
		err = report.Encode(e.stdout, kindBench, r)
	case "markdown":
		err = r.WriteMarkdown(e.stdout)
	default:
		err = r.WriteTable(e.stdout)
	}
	if f.write != "" {
		err = errors.Join(err, r.WriteInto(f.write))
	}
	return err
}

// self runs this program with arguments, as a person would, and returns its standard output.
func (e *env) self(ctx context.Context, args ...string) ([]byte, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		return out.Bytes(), fmt.Errorf("lab %s: %w\n%s", args[0], err, &said)
	}
	return out.Bytes(), nil
}
