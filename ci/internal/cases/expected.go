package cases

import "regexp"

// Expected is what must be there, or must not be there, after the input.
type Expected struct {
	Traces  []TracesExpectation
	Logs    []LogsExpectation
	Metrics []MetricsExpectation
	// Profiles are read and not judged: the lab keeps no profiles.
	Profiles []ProfilesExpectation
	// ComposeLogs are texts that the containers' logs must contain.
	ComposeLogs  []string
	CustomChecks []CustomCheck

	// Complete is nil when the case does not ask for it.
	Complete *Complete
	Trees    []TreeExpectation
	Score    *ScoreExpectation
	Findings *FindingsExpectation
}

// Query is a query with its place in the file.
type Query struct {
	At   Position
	Text string
	// Key is the key's path, such as "expected.traces[0].traceql".
	Key string
}

// TracesExpectation is about the traces that a TraceQL query finds. A row is a trace;
// MatchSpans are about all spans of all traces found.
type TracesExpectation struct {
	Query      Query
	MatchSpans []Match
	Rules
}

// LogsExpectation is about the lines that a LogQL query finds. A row is a line.
type LogsExpectation struct {
	Query Query
	Rules
}

// MetricsExpectation is about the series that a PromQL query finds. A row is a series.
type MetricsExpectation struct {
	Query Query
	// Value is about the first series' value; nil when the case does not ask for it.
	Value *Comparison
	Rules
}

// ProfilesExpectation is about profiles. The lab keeps none.
type ProfilesExpectation struct {
	Query Query
	Rules
}

// Rules are the rules that expectations of all signals share. Contains, NotContains and
// Regex are about the answer as text.
type Rules struct {
	Contains    []string
	NotContains []string
	Regex       []*regexp.Regexp
	Match       []Match
	// Count is about the number of rows; all comparisons must hold.
	Count []Comparison
	// Absent asks for no row, for as long as the runner's absent timeout.
	Absent bool
}

// Match asks for a row, or a span, that has this name and all these attributes.
type Match struct {
	At Position
	// Name is nil when any name will do.
	Name       *Pattern
	Attributes []AttributeMatch
	// NoOthers asks that the row has no other attributes (version 2).
	NoOthers bool
}

// AttributeMatch is an attribute that must be there, with a value that matches; a nil
// Value lets any value do.
type AttributeMatch struct {
	Key   string
	Value *Pattern
}

// Pattern is a text that must be equal, or an RE2 expression that must match a part of
// the text.
type Pattern struct {
	Text string
	// Regexp is nil when the text must be equal.
	Regexp *regexp.Regexp
}

// Matches reports whether the text is what the pattern asks for.
func (p Pattern) Matches(text string) bool {
	if p.Regexp != nil {
		return p.Regexp.MatchString(text)
	}
	return text == p.Text
}

func (p Pattern) String() string {
	if p.Regexp != nil {
		return "matching " + p.Text
	}
	return p.Text
}

// CustomCheck is a script that exits with 0 when all is well.
type CustomCheck struct {
	At Position
	// Script is a path, relative to the case's folder, or the script itself.
	Script string
	// Inline says that Script is the script itself.
	Inline bool
}

// Complete asks that each of the input's requests has left what it must leave.
type Complete struct {
	At Position
	// Traces asks that each request is one trace whose spans are all joined.
	Traces bool
	// Services are services that must have a span in each of the traces.
	Services []string
	// Logs asks that each request has log lines, at least one or as Lines says.
	Logs  bool
	Lines *Comparison
	// Metrics asks that each request is counted once: by the metrics of HTTP servers, by
	// span metrics where a service has none, or by Counter.
	Metrics bool
	// Counter is a PromQL query whose value must be the number of requests; its Text is ""
	// when the case names none.
	Counter Query
}

// TreeExpectation asks for a trace of a shape.
type TreeExpectation struct {
	At Position
	// Query chooses the traces; its Text is "" for the traces of the input's requests, or
	// of the run where the input sent none.
	Query Query
	// Tree is the shape, as text.
	Tree string
	// Every asks that all of the traces have the shape, and not one of them only.
	Every bool
}

// ScoreExpectation is about the Instrumentation Score of each service of the run.
type ScoreExpectation struct {
	At Position
	// All is about each service; nil when the case names services.
	All *Comparison
	// Services are comparisons by a service's name.
	Services map[string]Comparison
}

// FindingsExpectation asks that there are no findings but those of the allowed kinds.
type FindingsExpectation struct {
	At      Position
	Allowed []string
}
