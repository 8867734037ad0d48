package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// reportFiles names the files to which a command writes its report, besides standard
// output; "" writes no file.
type reportFiles struct{ junit, json, markdown string }

func (f *reportFiles) register(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.junit, "junit", "", "write JUnit XML to this `FILE` too")
	cmd.Flags().StringVar(&f.json, "json", "", "write JSON to this `FILE` too")
	cmd.Flags().StringVar(&f.markdown, "markdown", "", "write Markdown to this `FILE` too, for the summary of a CI run")
}

// create opens the files, so that a wrong name is an error before the work begins.
func (f *reportFiles) create() (*report.Files, error) {
	return report.CreateFiles(map[report.Format]string{report.JUnit: f.junit, report.JSON: f.json, report.Markdown: f.markdown})
}

// writeReport prints the report, even when a file cannot be written, and returns
// errFailed when a check has failed.
func (e *env) writeReport(r report.Report, format report.Format, files *report.Files) error {
	if err := errors.Join(report.Write(e.stdout, format, r), files.Write(r)); err != nil {
		return err
	}
	if !r.OK() {
		return errFailed
	}
	return nil
}
