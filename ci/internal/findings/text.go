package findings

import (
	"fmt"
	"io"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// maxShown is the number of examples that WriteText writes of a finding.
const maxShown = 3

// WriteText writes findings for people.
func WriteText(w io.Writer, list []Finding) error {
	var b strings.Builder
	if len(list) == 0 {
		b.WriteString("No findings.\n")
	} else {
		fmt.Fprintf(&b, "Findings: %d. They do not count towards the score.\n", len(list))
	}
	for _, f := range list {
		fmt.Fprintf(&b, "  %s: %s", f.Kind, report.OneLine(f.Title))
		if f.Count > 1 {
			fmt.Fprintf(&b, " (%d times)", f.Count)
		}
		b.WriteByte('\n')
		for _, e := range f.Evidence[:min(len(f.Evidence), maxShown)] {
			fmt.Fprintf(&b, "    · %s\n", report.OneLine(e))
		}
		if f.TraceID != "" {
			fmt.Fprintf(&b, "    · trace %s\n", f.TraceID)
		}
		fmt.Fprintf(&b, "    → %s\n", report.OneLine(f.Advice))
	}
	_, err := io.WriteString(w, report.Clean(b.String()))
	return err
}
