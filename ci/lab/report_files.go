package main

import (
	"errors"
	"os"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// reportFiles are the files that a report is written to besides standard output;
// "" for none.
type reportFiles struct{ junit, json string }

func (f *reportFiles) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.junit, "junit", "", "write JUnit XML to this `FILE` too")
	cmd.Flags().StringVar(&f.json, "json", "", "write JSON to this `FILE` too")
}

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
