// Package inspect shows to a person all that a service emits: its operations, logs, metrics
// and attributes, its score and what was found; at a terminal, or as an HTML page.
package inspect

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
)

// Inspection is all that is known of a service.
type Inspection struct {
	Facts    facts.Service      `json:"facts"`
	Score    score.Card         `json:"score"`
	Findings []findings.Finding `json:"findings"`
}

// Of judges the facts of a service.
func Of(s facts.Service, now time.Time) Inspection {
	return Inspection{s, score.Evaluate(s, now), findings.Find(s)}
}

// A section is a table with a heading. A cell of a heading that begins with a space is of
// a column of numbers.
type section struct {
	Title   string
	Heading []string
	Rows    [][]string
	// Empty is what to say when there are no rows.
	Empty string
}

// sections are the tables of an inspection, for the terminal and for the page.
func (i Inspection) sections() []section {
	s := i.Facts
	minutes := max(s.LastSeen.Sub(s.FirstSeen).Minutes(), 1.0/60)
	perMinute := func(n uint64) string { return strconv.FormatFloat(float64(n)/minutes, 'f', 1, 64) }
	operations := section{
		Title: "Operations", Empty: "It has sent no spans.",
		Heading: []string{"NAME", "KIND", " SPANS", " PER MIN", " ERRORS", " MEAN", "SCOPE", "A TRACE"},
	}
	for _, o := range s.Spans.Operations {
		mean := time.Duration(o.TotalSeconds / float64(max(o.Count, 1)) * float64(time.Second))
		operations.Rows = append(operations.Rows, []string{
			o.Name, o.Kind, number(o.Count), perMinute(o.Count), number(o.Errors), report.Elapsed(mean), o.Scope, o.TraceID,
		})
	}
	logs := section{Title: "Log records", Heading: []string{"SEVERITY", " RECORDS", " PER MIN"}, Empty: "It has sent no log records."}
	for _, n := range slices.SortedFunc(maps.Keys(s.Logs.Severities), bySeverity) {
		logs.Rows = append(logs.Rows, []string{severity(n), number(s.Logs.Severities[n]), perMinute(s.Logs.Severities[n])})
	}
	metrics := section{
		Title: "Metrics", Empty: "It has sent no metrics.",
		Heading: []string{"NAME", "TYPE", "UNIT", " SERIES", "ATTRIBUTES, WITH THE NUMBER OF VALUES", "SCOPE"},
	}
	for _, m := range s.Metrics {
		var attributes []string
		for _, a := range m.Attributes {
			attributes = append(attributes, fmt.Sprintf("%s %d", a.Key, a.Values))
		}
		metrics.Rows = append(metrics.Rows, []string{
			m.Name, strings.Join(append(slices.Clone(m.Types), delta(m)...), ", "), strings.Join(m.Units, ", "), number(m.Series), strings.Join(attributes, ", "), m.Scope,
		})
	}
	attributes := section{
		Title: "Attributes", Empty: "It has sent no attributes.",
		Heading: []string{"LEVEL", "KEY", "TYPE", " ITEMS", " VALUES", "EXAMPLES"},
	}
	for _, a := range s.Attributes {
		attributes.Rows = append(attributes.Rows, []string{
			a.Level, a.Key, strings.Join(a.Types, ", "), number(a.Count), values(a), strings.Join(a.Examples[:min(len(a.Examples), shownValues)], ", "),
		})
	}
	return []section{operations, logs, metrics, attributes}
}

// shownValues is the number of examples of an attribute's values that are shown.
const shownValues = 3

func number(n uint64) string { return strconv.FormatUint(n, 10) }

// delta says that a metric's points are differences, which is worth a word; cumulative
// points are usual.
func delta(m facts.Metric) []string {
	if slices.Contains(m.Temporalities, "delta") {
		return []string{"delta"}
	}
	return nil
}

// values is the number of an attribute's values, which is counted up to a bound.
func values(a facts.Attribute) string {
	if a.Values >= facts.MaxAttributeValues {
		return "≥ " + number(a.Values)
	}
	return number(a.Values)
}

// severity names OTLP's severity numbers: four for each level, from 1 on.
func severity(n string) string {
	i, err := strconv.Atoi(n)
	if err != nil || i < 1 || i > 24 {
		return n + " (no severity)"
	}
	return fmt.Sprintf("%s %s", n, []string{"trace", "debug", "info", "warn", "error", "fatal"}[(i-1)/4])
}

func bySeverity(a, b string) int {
	i, _ := strconv.Atoi(a)
	j, _ := strconv.Atoi(b)
	return i - j
}

// headline is a sentence about the service.
func (i Inspection) headline() string {
	s := i.Facts
	points := uint64(0)
	for _, m := range s.Metrics {
		points += m.Points
	}
	name := report.OneLine(s.Name)
	if name == "" {
		name = "(no service.name)"
	}
	text := fmt.Sprintf("%s has sent %d spans, %d log records and %d points of %d metrics", name, s.Spans.Count, s.Logs.Count, points, len(s.Metrics))
	if s.RunID != "" {
		text += " in the run " + report.OneLine(s.RunID)
	}
	return fmt.Sprintf("%s since %s, the last at %s.", text, s.FirstSeen.Local().Format(time.TimeOnly), s.LastSeen.Local().Format(time.TimeOnly))
}

// WriteText writes the inspection for a terminal.
func (i Inspection) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n", i.headline())
	for _, s := range i.sections() {
		fmt.Fprintf(&b, "\n%s\n", s.Title)
		if len(s.Rows) == 0 {
			fmt.Fprintf(&b, "  %s\n", s.Empty)
			continue
		}
		table := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
		for _, row := range slices.Concat([][]string{s.Heading}, s.Rows) {
			fmt.Fprint(table, "  ")
			for n, cell := range row {
				if n > 0 {
					fmt.Fprint(table, "\t")
				}
				fmt.Fprint(table, report.OneLine(cell))
			}
			fmt.Fprintln(table)
		}
		if err := table.Flush(); err != nil {
			return err
		}
	}
	if _, err := io.WriteString(w, b.String()+"\n"); err != nil {
		return err
	}
	if err := i.Score.WriteText(w); err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\n"); err != nil {
		return err
	}
	return findings.WriteText(w, i.Findings)
}
