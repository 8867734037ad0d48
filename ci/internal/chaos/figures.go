package chaos

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// figuresFile has what the scenarios last measured; the command in the folder generate adds to
// it.
//
//go:embed figures.json
var figuresFile []byte

// A Figure is what a scenario last measured.
type Figure struct {
	Scenario string `json:"scenario"`
	// On is the day, as in 2026-01-02.
	On       string        `json:"on"`
	Requests RequestCounts `json:"requests"`
	Balances
	Fresh map[string]float64 `json:"fresh_again_seconds"`
	// Alerts are the names of those that fired.
	Alerts []string `json:"alerts"`
	// Broken are the ids of the promises that were broken.
	Broken []string `json:"broken"`
}

// Figures are what the scenarios last measured, in the order of the scenarios.
func Figures() ([]Figure, error) {
	var all []Figure
	err := json.Unmarshal(figuresFile, &all)
	return all, err
}

// Merge puts the outcomes of a result in the place of what their scenarios measured before. A
// scenario that was skipped, or did not run to its end, keeps its figure. Figures of scenarios
// that there are no more are left out.
func Merge(figures []Figure, r Result) []Figure {
	newest := map[string]Figure{}
	for _, f := range figures {
		newest[f.Scenario] = f
	}
	for _, o := range r.Scenarios {
		if o.Skipped == "" && o.Error == "" {
			newest[o.Name] = figureOf(o)
		}
	}
	all := []Figure{}
	for _, s := range All() {
		if f, ok := newest[s.Name]; ok {
			all = append(all, f)
		}
	}
	return all
}

func figureOf(o Outcome) Figure {
	f := Figure{
		Scenario: o.Name, On: o.Started.UTC().Format(time.DateOnly), Requests: o.Requests,
		Balances: o.Balances,
		Fresh:    o.FreshAgain, Alerts: []string{}, Broken: append([]string{}, o.broken()...),
	}
	for _, a := range o.Alerts {
		f.Alerts = append(f.Alerts, a.Name)
	}
	slices.Sort(f.Alerts)
	f.Alerts = slices.Compact(f.Alerts)
	return f
}

// writeFigures writes a row for each scenario that was measured, and names the others.
func writeFigures(b *strings.Builder, figures []Figure) {
	b.WriteString(figuresHead)
	var unmeasured []string
	for _, s := range All() {
		i := slices.IndexFunc(figures, func(f Figure) bool { return f.Scenario == s.Name })
		if i < 0 {
			unmeasured = append(unmeasured, "`"+s.Name+"`")
			continue
		}
		f := figures[i]
		alerts, outcome := strings.Join(f.Alerts, ", "), "kept"
		if alerts == "" {
			alerts = "none"
		}
		if len(f.Broken) > 0 {
			outcome = "broken: " + strings.Join(f.Broken, ", ")
		}
		fmt.Fprintf(b, "| `%s` | %s | %d | %d | %s | %s | %s | %s | %s | %s | %s | %s |\n", f.Scenario, f.On, f.Requests.Sent, f.Requests.Refused+f.Requests.Unanswered,
			f.Users.text(), f.Traces.text(), f.Lines.text(), f.Counters.text(), f.Exemplars.text(), slowest(f.Fresh), alerts, outcome)
	}
	if len(unmeasured) > 0 {
		fmt.Fprintf(b, "\nNot measured yet: %s.\n", strings.Join(unmeasured, ", "))
	}
}

const figuresHead = `
## What was last measured

On two cores, with other work beside it. "Not as usual" are requests that were refused or not answered;
"-3 of 900" are lost, "promised" is the part of a loss that a promise allows. "Fresh again" is how long
after the end of the harm the slowest signal was fresh. A scenario that kills the backend makes a third
of the frontend's answers errors for ten seconds: HighErrorRatio is right to fire then.

| scenario | on | requests | not as usual | users | traces | lines | counts | exemplars | fresh again | alerts | promises |
|---|---|---|---|---|---|---|---|---|---|---|---|
`
