package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// reportFiles are the names of the files that a report is written to besides standard
// output; "" for none.
type reportFiles struct{ junit, json string }

func (f *reportFiles) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.junit, "junit", "", "write JUnit XML to this `FILE` too")
	cmd.Flags().StringVar(&f.json, "json", "", "write JSON to this `FILE` too")
}

// create opens the files, before the work.
func (f *reportFiles) create() (*report.Files, error) {
	return report.CreateFiles(map[report.Format]string{report.JUnit: f.junit, report.JSON: f.json})
}

// writeReport prints the report, whatever happens to the files, and fails when a
// check did.
func (e *env) writeReport(r report.Report, format report.Format, files *report.Files) error {
	if err := errors.Join(report.Write(e.stdout, format, r), files.Write(r)); err != nil {
		return err
	}
	if !r.OK() {
		return errFailed
	}
	return nil
}
