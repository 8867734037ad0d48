package chaos

import (
	"time"
)

// A Result is the outcome of a run of scenarios.
type Result struct {
	Target   string    `json:"target"`
	Started  time.Time `json:"started"`
	Duration float64   `json:"duration_seconds"`
	// OK says that no promise was broken, and that each scenario ran to its end.
	OK        bool      `json:"ok"`
	Scenarios []Outcome `json:"scenarios"`
}

// An Outcome is that of one scenario.
type Outcome struct {
	Name     string    `json:"name"`
	About    string    `json:"about"`
	Started  time.Time `json:"started"`
	Duration float64   `json:"duration_seconds"`
	// Skipped says why the scenario did not run; Error why it did not run to its end.
	Skipped string   `json:"skipped,omitempty"`
	Error   string   `json:"error,omitempty"`
	Actions []Action `json:"actions"`
	// Healed is when the end of the harm began, Ready when all components were ready again.
	Healed time.Time `json:"healed,omitzero"`
	Ready  time.Time `json:"ready,omitzero"`

	Requests RequestCounts `json:"requests"`
	Balances
	// CountedLosses are the counters of lost telemetry that have risen.
	CountedLosses map[string]float64 `json:"counted_losses"`
	// FreshAgain is how long after the end of the harm each signal was fresh; a signal that
	// was not fresh by the end of the traffic is missing.
	FreshAgain map[string]float64 `json:"fresh_again_seconds"`
	Alerts     []FiredAlert       `json:"alerts"`
	Verdicts   []Verdict          `json:"promises"`
}

// RequestCounts counts the requests of a scenario by what became of them.
type RequestCounts struct {
	Sent int `json:"sent"`
	// Acknowledged were answered as they should be, Refused otherwise, such as 502 or 503,
	// and Unanswered not at all.
	Acknowledged int `json:"acknowledged"`
	Refused      int `json:"refused"`
	Unanswered   int `json:"unanswered"`
}

// Balances count what was lost or stored twice. Promised is the part of a loss that a promise
// allows.
type Balances struct {
	Users     Balance `json:"users"`
	Traces    Balance `json:"traces"`
	Lines     Balance `json:"lines"`
	Counters  Balance `json:"counters"`
	Exemplars Balance `json:"exemplars"`
}

// A Balance is what should be stored against what is.
type Balance struct {
	// Due is how many must be stored, Lost how many are not, Promised how many of those a
	// promise allows, Doubled how many are stored twice, Wrong how many are otherwise wrong.
	Due      int `json:"due"`
	Lost     int `json:"lost"`
	Promised int `json:"promised"`
	Doubled  int `json:"doubled"`
	Wrong    int `json:"wrong"`
}

// The outcomes of a promise.
const (
	Kept      = "kept"
	Broken    = "broken"
	NotTested = "not tested"
)

// A Verdict says whether a promise was kept.
type Verdict struct {
	// Promise is its id, Title what it is about.
	Promise string `json:"promise"`
	Title   string `json:"title"`
	// Outcome is [Kept], [Broken] or [NotTested].
	Outcome string `json:"outcome"`
	// Measured is what was seen, in one line; Detail says more.
	Measured string `json:"measured"`
	Detail   string `json:"detail,omitempty"`
}

// broken lists the ids of the promises that were broken.
func (o Outcome) broken() (ids []string) {
	for _, v := range o.Verdicts {
		if v.Outcome == Broken {
			ids = append(ids, v.Promise)
		}
	}
	return ids
}

// OK tells whether the scenario ran to its end, or was skipped, and no promise was broken.
func (o Outcome) OK() bool { return o.Error == "" && len(o.broken()) == 0 }
