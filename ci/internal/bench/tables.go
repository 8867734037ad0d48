package bench

import (
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
)

// WriteTable prints the report for people.
func (r Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "%s\n", r.Machine)
	for _, f := range r.Figures {
		fmt.Fprintf(t, "\n%s: %s\n", f.Name, f.Title)
		if f.Skipped != "" {
			fmt.Fprintf(t, "  skipped: %s\n", f.Skipped)
			continue
		}
		for _, row := range f.Rows {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", row.Name, row.value(row.Median), row.spread(), row.verdict())
		}
	}
	return t.Flush()
}

// String is the machine in a sentence.
func (m Machine) String() string {
	return fmt.Sprintf("%s, %d cores, %s of memory, %s, %s", m.Processor, m.Cores, size(float64(m.MemoryBytes)), m.System, m.Go)
}

// spread is the least and the most of several runs.
func (r Row) spread() string {
	if r.Runs < 2 {
		return ""
	}
	return fmt.Sprintf("%s – %s", r.value(r.Least), r.value(r.Most))
}

// verdict is the goal, and whether it is met.
func (r Row) verdict() string {
	met, ok := r.Met()
	switch {
	case !ok:
		return ""
	case met:
		return r.goal() + ", met"
	}
	return r.goal() + ", not met"
}

// WriteMarkdown writes the tables of docs/performance.md.
func (r Report) WriteMarkdown(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s with lab %s: %s.\n", r.Started.Format("2 January 2006"), r.Version, r.Machine)
	for _, f := range r.Figures {
		fmt.Fprintf(&b, "\n### %s\n\n`lab bench %s`. ", f.Title, f.Name)
		if f.Skipped != "" {
			fmt.Fprintf(&b, "Skipped: %s\n", f.Skipped)
			continue
		}
		fmt.Fprintf(&b, "Load average %.1f before, %.1f after.\n\n| | median | least – most | goal |\n|---|---|---|---|\n", f.LoadBefore, f.LoadAfter)
		for _, row := range f.Rows {
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", row.Name, row.value(row.Median), row.spread(), row.verdict())
		}
		for _, note := range f.Notes {
			fmt.Fprintf(&b, "\n%s\n", note)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// The marks between which WriteInto writes.
const (
	beginMark = "<!-- begin: written by `lab bench --write` -->"
	endMark   = "<!-- end: written by `lab bench --write` -->"
)

// WriteInto replaces what is between the marks of a Markdown file by the tables.
func (r Report) WriteInto(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	head, rest, ok := strings.Cut(string(content), beginMark)
	_, tail, closed := strings.Cut(rest, endMark)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for the tables: add the lines %q and %q", file, beginMark, endMark)
	}
	var tables strings.Builder
	if err := r.WriteMarkdown(&tables); err != nil {
		return err
	}
	return os.WriteFile(file, []byte(head+beginMark+"\n"+tables.String()+endMark+tail), 0o644)
}
