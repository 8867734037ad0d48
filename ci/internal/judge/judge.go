// Package judge asks the stores what an acceptance case expects, and decides. One call
// asks once; the runner asks again until the answer is right or its time is up.
package judge

import (
	"time"
)

// Scope is the run that every question is narrowed to, so that cases that share a lab do
// not see each other's telemetry.
type Scope struct {
	// RunID is the value of [runid.Attribute] on the run's telemetry; "" when the
	// application was started by somebody else, and has none.
	RunID string
	// Since is when the run began. Nothing before it counts.
	Since time.Time
	// Explain asks the stores further what was there instead, when a rule does not hold. It
	// is for the last question of a case: it takes several queries.
	Explain bool
	// TraceIDs are the traces of the requests that the input has sent, 32 digits each;
	// empty when it has sent none.
	TraceIDs []string
}

// Verdict is what one question has shown.
type Verdict struct {
	OK bool
	// Final says that asking again cannot change a failure: the query does not parse.
	Final bool
	// Revocable says that the verdict is OK because of what is not there, and that later
	// telemetry could change it. Whoever asks must keep asking for a while: for as long as
	// the absent timeout where nothing was there at all.
	Revocable bool
	// Rows is the number of traces, lines or series found.
	Rows int
	// Query is the query as it was asked, narrowed to the run.
	Query string
	// Failures are the rules that do not hold.
	Failures []Failure
}

// Failure is a rule that does not hold.
type Failure struct {
	// Rule is the rule's key: contains, match_spans, count, …; "query" when the store
	// has refused the query.
	Rule string
	// Message says, in one line, what was expected and what was there.
	Message string
	// Nearest are lines about what was there instead: the nearest spans, the labels that
	// differ, the series of that name.
	Nearest []string
}
