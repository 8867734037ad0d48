package score

import (
	"fmt"
	"io"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// Line is the score in one line: "score 92.5 of 100, excellent; 17 of 19 rules evaluated,
// failed: SPA-002".
func (c Card) Line() string {
	if c.Evaluated == 0 {
		return fmt.Sprintf("no score: none of %d rules could be evaluated", len(c.Rules))
	}
	line := fmt.Sprintf("score %v of 100, %s; %d of %d rules evaluated", c.Score, strings.ReplaceAll(string(c.Category), "_", " "), c.Evaluated, len(c.Rules))
	var failed []string
	for _, r := range c.Rules {
		if r.Outcome == Failed {
			failed = append(failed, r.ID)
		}
	}
	if len(failed) > 0 {
		line += ", failed: " + strings.Join(failed, ", ")
	}
	return line
}

// WriteText writes the card for people: what failed with evidence and advice, what could not
// be evaluated and why, and what passed.
func (c Card) WriteText(w io.Writer) error {
	name := report.OneLine(c.Service)
	if name == "" {
		name = "(no service.name)"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n", name, c.Line())
	if c.RunID != "" {
		fmt.Fprintf(&b, "run %s\n", c.RunID)
	}
	for _, part := range []struct {
		outcome Outcome
		title   string
	}{{Failed, "Failed"}, {NotEvaluated, "Not evaluated: the score says nothing of"}, {Passed, "Passed"}} {
		c.writePart(&b, part.outcome, part.title)
	}
	for _, bound := range c.Bounds {
		fmt.Fprintf(&b, "\nNot all was looked at: %s", report.OneLine(bound))
	}
	if len(c.Bounds) > 0 {
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, report.Clean(b.String()))
	return err
}

func (c Card) writePart(b *strings.Builder, outcome Outcome, title string) {
	first := true
	for _, r := range c.Rules {
		if r.Outcome != outcome {
			continue
		}
		if first {
			fmt.Fprintf(b, "\n%s\n", title)
			first = false
		}
		fmt.Fprintf(b, "  %s  %-9s  %s\n", r.ID, r.Impact, r.Title)
		if r.Reason != "" {
			fmt.Fprintf(b, "           %s\n", report.OneLine(r.Reason))
		}
		for _, e := range r.Evidence {
			fmt.Fprintf(b, "           · %s\n", report.OneLine(e))
		}
		if r.Advice != "" {
			fmt.Fprintf(b, "           → %s\n", r.Advice)
		}
	}
}
