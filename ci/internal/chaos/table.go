package chaos

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
)

// WriteTable writes a row for each scenario, and below the rows the promises that were
// broken.
func (r Result) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCENARIO\tREQUESTS\tNOT AS USUAL\tUSERS\tTRACES\tLINES\tCOUNTS\tEXEMPLARS\tFRESH AGAIN\tALERTS\tPROMISES")
	for _, o := range r.Scenarios {
		if o.Skipped != "" || o.Error != "" {
			fmt.Fprintf(t, "%s\t%s\n", o.Name, report.Clean(o.sentence()))
			continue
		}
		fmt.Fprintf(t, "%s\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", o.Name, o.Requests.Sent, o.Requests.Refused+o.Requests.Unanswered,
			o.Users.text(), o.Traces.text(), o.Lines.text(), o.Counters.text(), o.Exemplars.text(), slowest(o.FreshAgain), o.alertsText(), o.promisesText())
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := io.WriteString(w, r.details())
	return err
}

// text is the balance in a table: "0 of 200", with what is doubled and wrong where
// something is. What a promise allows is in parentheses.
func (b Balance) text() string {
	text := fmt.Sprintf("-%d of %d", b.Lost, b.Due)
	if b.Lost == 0 {
		text = fmt.Sprintf("all %d", b.Due)
	}
	if b.Promised > 0 {
		text += fmt.Sprintf(" (%d promised)", b.Promised)
	}
	if b.Doubled > 0 {
		text += fmt.Sprintf(", %d twice", b.Doubled)
	}
	if b.Wrong > 0 {
		text += fmt.Sprintf(", %d wrong", b.Wrong)
	}
	return text
}

// slowest is the signal that took longest until it was fresh again, of the seconds by signal.
func slowest(fresh map[string]float64) string {
	last, at := "", -1.0
	for _, signal := range signals {
		seconds, ok := fresh[signal]
		if !ok {
			return signal + " never"
		}
		if seconds > at {
			last, at = signal, seconds
		}
	}
	return fmt.Sprintf("%.0f s (%s)", at, last)
}

func (o Outcome) alertsText() string {
	var names []string
	for _, a := range o.Alerts {
		name := a.Name
		if a.Resolved.IsZero() {
			name += " (still)"
		}
		names = append(names, name)
	}
	return cmp.Or(strings.Join(slices.Compact(names), " "), "none")
}

func (o Outcome) promisesText() string {
	if broken := o.broken(); len(broken) > 0 {
		return "broken: " + strings.Join(broken, " ")
	}
	return "kept"
}

// bounds are the promises that allow something to be lost or doubled.
var bounds = []string{Unexported, Unflushed, FullTempo, FullAlloy, SentAgain}

// details explains what was broken, and says which losses the stack itself has counted.
func (r Result) details() string {
	var b strings.Builder
	for _, o := range r.Scenarios {
		if o.Error != "" {
			fmt.Fprintf(&b, "\n%s: %s\n", o.Name, report.Clean(o.Error))
		}
		for _, v := range o.Verdicts {
			if v.Outcome == Broken {
				fmt.Fprintf(&b, "\n%s: %s (%s) is broken: %s\n    %s\n", o.Name, v.Promise, v.Title, report.Clean(v.Measured), strings.ReplaceAll(report.Clean(v.Detail), "\n", "\n    "))
			}
			if slices.Contains(bounds, v.Promise) && !strings.HasPrefix(v.Measured, "nothing ") {
				fmt.Fprintf(&b, "\n%s: %s: %s\n", o.Name, v.Promise, report.Clean(v.Measured))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(o.CountedLosses)) {
			fmt.Fprintf(&b, "\n%s: %s: %.0f\n", o.Name, name, o.CountedLosses[name])
		}
	}
	n, kept := r.count()
	fmt.Fprintf(&b, "\n%d scenarios in %s: %d promises kept, %d broken, %d not tested\n",
		n, report.Elapsed(time.Duration(r.Duration*float64(time.Second))), kept[Kept], kept[Broken], kept[NotTested])
	return b.String()
}

// count counts the scenarios that ran and the verdicts by outcome.
func (r Result) count() (scenarios int, verdicts map[string]int) {
	verdicts = map[string]int{}
	for _, o := range r.Scenarios {
		if o.Skipped == "" {
			scenarios++
		}
		for _, v := range o.Verdicts {
			verdicts[v.Outcome]++
		}
	}
	return scenarios, verdicts
}

// Report is the result as checks, a group for each scenario, for JUnit and Markdown.
func (r Result) Report() report.Report {
	out := report.Report{Name: "chaos", Started: r.Started, Duration: time.Duration(r.Duration * float64(time.Second)), Environment: map[string]string{"target": r.Target}}
	for _, o := range r.Scenarios {
		took := time.Duration(o.Duration * float64(time.Second))
		run := report.Check{Group: o.Name, Name: "ran to its end", Expected: o.About, Status: report.Pass, Duration: took}
		switch {
		case o.Skipped != "":
			run.Status, run.Detail = report.Skip, o.Skipped
		case o.Error != "":
			run.Status, run.Detail = report.Fail, o.Error
		}
		out.Add(run)
		for _, v := range o.Verdicts {
			status := map[string]report.Status{Kept: report.Pass, Broken: report.Fail, NotTested: report.Skip}[v.Outcome]
			out.Add(report.Check{
				Group: o.Name, Name: v.Promise + " " + v.Title, Status: status, Measured: v.Measured, Expected: byID(v.Promise).Text, Detail: v.Detail,
			})
		}
	}
	return out
}

// WriteList writes the scenarios with what each does and tests.
func WriteList(w io.Writer, scenarios []Scenario) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCENARIO\tWHAT IS DONE\tPROMISES")
	for _, s := range scenarios {
		about := s.About
		if s.OwnLab {
			about += " (only with --up)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", s.Name, about, strings.Join(s.Promises, " "))
	}
	return t.Flush()
}
