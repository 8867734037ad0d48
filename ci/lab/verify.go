package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

func verifyCommand(e *env) *cobra.Command {
	var flags upFlags
	var load trafficFlags
	var output, run string
	var files reportFiles
	var own bool
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
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := report.ParseFormat(output)
			if err != nil {
				return usageError{err}
			}
			profile, err := load.resolve(cmd)
			if err != nil {
				return err
			}
			if flags.noFaults {
				profile.Slow, profile.Error = 0, 0
			}
			if err := e.chosen.check(cmd, onlyOn); err != nil {
				return err
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			o := verifyRun{Options: verify.Options{Profile: profile, NoFaults: flags.noFaults, Progress: func(line string) { e.say("· " + line) }},
				flags: given(cmd, append(trafficFlagNames, "traffic", "no-faults")...)}
			if run != "" {
				if own {
					return usageError{fmt.Errorf("--run and --up do not go together: a new lab has seen no traffic")}
				}
				if o.Run, err = readRun(s, run); err != nil {
					return err
				}
			}
			if own {
				down, mine, err := s.own(cmd.Context(), flags)
				if err != nil {
					return err
				}
				defer down()
				s = mine
			}
			result, err := s.verify(cmd.Context(), o)
			if err != nil {
				return err
			}
			return e.writeReport(result, format, files)
		},
	}
	flags.register(cmd)
	load.register(cmd)
	cmd.Flags().StringVar(&load.profile, "traffic", traffic.Profiles()[0].Name, "the traffic to prove completeness with: smoke, steady or heavy")
	cmd.Flags().StringVar(&run, "run", "", "prove completeness for traffic sent before: a `FILE` that `lab traffic -o json` wrote, or \"last\"")
	cmd.Flags().BoolVar(&own, "up", false, "start a lab for the purpose and take it down afterwards")
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json or junit")
	cmd.Flags().StringVar(&files.junit, "junit", "", "write JUnit XML to this `FILE` too")
	cmd.Flags().StringVar(&files.json, "json", "", "write JSON to this `FILE` too")
	return cmd
}

// reportFiles are the files that a report is written to besides standard output;
// "" for none.
type reportFiles struct{ junit, json string }

// writeReport prints the report, and fails when a check did.
func (e *env) writeReport(r report.Report, format report.Format, files reportFiles) error {
	for _, also := range []struct {
		file   string
		format report.Format
	}{{files.junit, report.JUnit}, {files.json, report.JSON}} {
		if err := writeReportFile(also.file, r, also.format); err != nil {
			return err
		}
	}
	if err := report.Write(e.stdout, format, r); err != nil {
		return err
	}
	if !r.OK() {
		return errFailed
	}
	return nil
}

// writeReportFile writes the report to a file, unless its name is empty.
func writeReportFile(name string, r report.Report, format report.Format) error {
	if name == "" {
		return nil
	}
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(report.Write(f, format, r), f.Close())
}

func endpointsCommand(e *env) *cobra.Command {
	var output, frontend, backend string
	cmd := &cobra.Command{
		Use:   "test-endpoints",
		Short: "Check that every endpoint of both services answers as documented",
		Long: `test-endpoints asks every endpoint of the frontend and the backend, with good and bad
input, and compares the answers with what is documented, errors included.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			format, err := report.ParseFormat(output)
			if err != nil {
				return usageError{err}
			}
			s, err := e.site()
			if err != nil {
				return err
			}
			r, err := s.endpoints(cmd.Context(), endpointsRun{frontend, backend, given(cmd, "frontend", "backend")})
			if err != nil {
				return err
			}
			return e.writeReport(r, format, reportFiles{})
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "table", "table, json or junit")
	cmd.Flags().StringVar(&frontend, "frontend", "", "the frontend's `URL` (default that of the running lab)")
	cmd.Flags().StringVar(&backend, "backend", "", "the backend's `URL` (default that of the running lab)")
	return cmd
}
