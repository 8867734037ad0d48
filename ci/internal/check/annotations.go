package check

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Annotate writes a workflow command of GitHub's for each failed check, so that the failure
// is shown beside the line of the case file.
func (r Result) Annotate(w io.Writer) error {
	for i, c := range r.Report.Checks {
		if !c.Failed() {
			continue
		}
		text := c.Measured
		if c.Detail != "" {
			text += "\n" + c.Detail
		}
		if err := annotate(w, r.Places[i], c.Group+": "+c.Name, text); err != nil {
			return err
		}
	}
	return nil
}

// Located is the result of a run elsewhere, which has sent its report alone: each check comes
// from the place of its case.
func Located(r report.Report, all []cases.Case) Result {
	result, names := Result{Report: r}, groupNames(all)
	for _, c := range r.Checks {
		var at cases.Position
		if i := slices.Index(names, c.Group); i >= 0 {
			at = all[i].At
		}
		result.Places = append(result.Places, at)
	}
	return result
}

// AnnotateProblems writes a workflow command of GitHub's for each problem of a case file.
func AnnotateProblems(w io.Writer, problems []cases.Problem) error {
	for _, p := range problems {
		if err := annotate(w, p.At, p.Key, p.Message); err != nil {
			return err
		}
	}
	return nil
}

var (
	messageEscapes  = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	propertyEscapes = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)

func annotate(w io.Writer, at cases.Position, title, text string) error {
	place := ""
	if at.File != "" {
		place = "file=" + propertyEscapes.Replace(filepath.ToSlash(at.File)) + ","
	}
	if at.Line > 0 {
		place += fmt.Sprintf("line=%d,col=%d,", at.Line, at.Column)
	}
	_, err := fmt.Fprintf(w, "::error %stitle=%s::%s\n", place, propertyEscapes.Replace(report.Clean(title)), messageEscapes.Replace(report.Clean(text)))
	return err
}
