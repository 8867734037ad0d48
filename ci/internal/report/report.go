// Package report holds the results of checks and writes them for people (a
// table), for programs (JSON), for CI viewers (JUnit XML) and for the summary of a CI run
// (Markdown).
//
// Other packages fill in the checks, and the command line picks a format. Text in a
// check may come from a server's answer, so every renderer takes it as hostile: control
// characters never reach a terminal or an XML document.
package report

import (
	"maps"
	"time"
)

// Status is the outcome of one check.
type Status string

// The outcomes. Any other value, the empty string included, counts as a failure: a
// check without an outcome has not passed.
const (
	Pass Status = "pass"
	Fail Status = "fail"
	Skip Status = "skip"
)

// Check is the result of one check.
type Check struct {
	// Group names what belongs together, "endpoints" for instance. Checks of a
	// group should follow one another; a renderer keeps the order it is given.
	Group string
	// Name says what was checked; unique within the group and the same on every
	// run, because CI viewers compare runs by it.
	Name string
	// Status is the outcome; see [Pass].
	Status Status
	// Measured is what was seen, in one line: "201 application/json, 3 ms".
	Measured string
	// Expected is what was asked for, in one line.
	Expected string
	// Detail explains a failure or the reason of a skip; it may have many lines.
	Detail string
	// Duration is how long the check took.
	Duration time.Duration
}

// Failed reports whether the check neither passed nor was skipped.
func (c Check) Failed() bool { return c.Status != Pass && c.Status != Skip }

// Report is the outcome of a run of checks.
type Report struct {
	// Name says what ran: "verify", "test-endpoints".
	Name string
	// Started is when the run began.
	Started time.Time
	// Duration is how long the whole run took.
	Duration time.Duration
	// Environment describes where it ran (target, versions, addresses); it must
	// not hold secrets, for it is printed.
	Environment map[string]string
	// Checks are the results in the order in which they were made.
	Checks []Check
}

// Add appends checks to the report.
func (r *Report) Add(checks ...Check) { r.Checks = append(r.Checks, checks...) }

// Count is the number of checks by outcome.
type Count struct{ Passed, Failed, Skipped int }

// Count counts the checks by outcome.
func (r Report) Count() Count { return count(r.Checks) }

// OK reports whether at least one check passed and none failed. A report
// without a passed check proves nothing, so it is not OK.
func (r Report) OK() bool {
	n := r.Count()
	return n.Failed == 0 && n.Passed > 0
}

func count(checks []Check) Count {
	var n Count
	for _, c := range checks {
		switch {
		case c.Failed():
			n.Failed++
		case c.Status == Skip:
			n.Skipped++
		default:
			n.Passed++
		}
	}
	return n
}

// group is the checks of one Group, in order.
type group struct {
	name   string
	checks []Check
}

// groups splits the checks by Group, in the order in which each group first
// appears.
func (r Report) groups() []group {
	var out []group
	at := make(map[string]int)
	for _, c := range r.Checks {
		i, ok := at[c.Group]
		if !ok {
			i = len(out)
			at[c.Group] = i
			out = append(out, group{name: c.Group})
		}
		out[i].checks = append(out[i].checks, c)
	}
	return out
}

// sortedEnvironment lists the environment by name, so that output is stable.
func (r Report) sortedEnvironment() [][2]string {
	out := make([][2]string, 0, len(r.Environment))
	for _, k := range sorted(maps.Keys(r.Environment)) {
		out = append(out, [2]string{k, r.Environment[k]})
	}
	return out
}
