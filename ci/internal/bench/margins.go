package bench

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
)

//go:embed committed.json
var committed []byte

// Limits are ratios that a change must not make worse. A time of one machine says nothing
// about another; a ratio of two things that were measured side by side does.
type Limits []Limit

// Limit is the most that a ratio may be.
type Limit struct {
	// Figure and Row name the ratio.
	Figure string `json:"figure"`
	Row    string `json:"row"`
	// Committed is the ratio as it was measured when it was committed.
	Committed float64 `json:"committed"`
	// Margin is how much above it a run may be: wider than the spread on a busy machine,
	// so that a run that is above it means something.
	Margin float64 `json:"margin"`
}

// Margins reads limits from a file, "committed" is those built into this program, and ""
// none.
func Margins(name string) (Limits, error) {
	doc := committed
	switch name {
	case "":
		return nil, nil
	case "committed":
	default:
		var err error
		if doc, err = os.ReadFile(name); err != nil {
			return nil, err
		}
	}
	var all Limits
	if err := json.Unmarshal(doc, &all); err != nil {
		return nil, fmt.Errorf("the limits of %s: %w", name, err)
	}
	return all, nil
}

// Worse says in a sentence each how the report is worse than the limits. A limit whose
// figure was not measured says nothing; a row that its figure does not have is an error
// here, because it would otherwise check nothing.
func (all Limits) Worse(r Report) []string {
	var lines []string
	for _, l := range all {
		row, found := r.Find(l.Figure, l.Row)
		switch {
		case found && row.Least > l.Committed+l.Margin:
			lines = append(lines, fmt.Sprintf("%s, %s: %.2f at the least, which is more than the committed %.2f and its margin of %.2f: make it cheaper again, or commit the new ratio in ci/internal/bench/committed.json and say why",
				l.Figure, l.Row, row.Least, l.Committed, l.Margin))
		case !found && r.has(l.Figure):
			lines = append(lines, fmt.Sprintf("%s was measured and has no row %q, for which a ratio is committed", l.Figure, l.Row))
		}
	}
	return lines
}

// has tells whether a figure was measured, and not skipped.
func (r Report) has(figure string) bool {
	for _, f := range r.Figures {
		if f.Name == figure {
			return f.Skipped == ""
		}
	}
	return false
}
