package bench

import (
	"cmp"
	"slices"
	"time"
)

// Report is the outcome of a run of figures.
type Report struct {
	// Started is when the run began.
	Started time.Time `json:"started"`
	// Duration is how long the run took.
	Duration float64 `json:"duration_seconds"`
	// Version is the lab's.
	Version string `json:"version"`
	// Machine is where the figures were measured.
	Machine Machine `json:"machine"`
	// Figures are in the order of [Figures].
	Figures []Figure `json:"figures"`
}

// Figure is one measurement, of one or more rows.
type Figure struct {
	// Name is the figure's, as the command takes it.
	Name string `json:"name"`
	// Title says what was measured, in one line.
	Title string `json:"title"`
	// Started is when the measurement began.
	Started time.Time `json:"started"`
	// Duration is how long the measurement took.
	Duration float64 `json:"duration_seconds"`
	// LoadBefore and LoadAfter are the machine's load averages of one minute.
	LoadBefore float64 `json:"load_before"`
	LoadAfter  float64 `json:"load_after"`
	// Skipped says why there are no rows, and what provides what is missing.
	Skipped string `json:"skipped,omitempty"`
	// Rows are what was measured.
	Rows []Row `json:"rows"`
	// Notes say how to read the rows.
	Notes []string `json:"notes"`
}

// Unit is the unit of a row's values.
type Unit string

// The units.
const (
	Ratio     Unit = "ratio"      // one value divided by another
	Seconds   Unit = "s"          // of time, or of processor time
	Bytes     Unit = "B"          // of memory or disk
	PerSecond Unit = "per second" // requests, spans
	Count     Unit = "count"      // things
	Exponent  Unit = "exponent"   // of the power of n that something grows with
)

// Row is one measured value.
type Row struct {
	// Name says what was measured.
	Name string `json:"name"`
	// Unit is that of all values of the row.
	Unit Unit `json:"unit"`
	// Median is the value; Least and Most are the extremes of the runs.
	Median float64 `json:"median"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
	// Runs is how many times the value was measured.
	Runs int `json:"runs"`
	// AtMost and AtLeast are the goal, if there is one.
	AtMost  *float64 `json:"at_most,omitempty"`
	AtLeast *float64 `json:"at_least,omitempty"`
}

// Met tells whether the goal is reached; ok is false where there is none.
func (r Row) Met() (met, ok bool) {
	switch {
	case r.AtMost != nil:
		return r.Median <= *r.AtMost, true
	case r.AtLeast != nil:
		return r.Median >= *r.AtLeast, true
	}
	return false, false
}

// under returns the row with a goal: at most so much.
func (r Row) under(most float64) Row { r.AtMost = &most; return r }

// over returns the row with a goal: at least so much.
func (r Row) over(least float64) Row { r.AtLeast = &least; return r }

// row summarises the runs of one value. Without runs it is the zero value, with no run.
func row(name string, unit Unit, runs ...float64) Row {
	r := Row{Name: name, Unit: unit, Runs: len(runs)}
	if len(runs) > 0 {
		r.Median, r.Least, r.Most = median(runs), slices.Min(runs), slices.Max(runs)
	}
	return r
}

// median is the middle of the values, or the mean of the two in the middle.
func median(values []float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// ratios divides each run by the run beside it, so that what slows the machine down for a
// while slows both.
func ratios(over, under []float64) []float64 {
	var all []float64
	for i := range min(len(over), len(under)) {
		if under[i] > 0 {
			all = append(all, over[i]/under[i])
		}
	}
	return all
}

// Find returns the row of that figure and name.
func (r Report) Find(figure, name string) (Row, bool) {
	for _, f := range r.Figures {
		i := slices.IndexFunc(f.Rows, func(r Row) bool { return r.Name == name })
		if f.Name == figure && i >= 0 {
			return f.Rows[i], true
		}
	}
	return Row{}, false
}

// Merge returns the report with the figures of an earlier one that this one does not
// have, in the order of [Figures]. The machine is this report's.
func (r Report) Merge(earlier Report) Report {
	for _, f := range earlier.Figures {
		if !slices.ContainsFunc(r.Figures, func(own Figure) bool { return own.Name == f.Name }) {
			r.Figures = append(r.Figures, f)
		}
	}
	slices.SortStableFunc(r.Figures, func(a, b Figure) int { return cmp.Compare(place(a.Name), place(b.Name)) })
	return r
}

// place is where a figure of that name is measured; -1 for a name that there is not.
func place(name string) int {
	return slices.Index(Names(), name)
}
