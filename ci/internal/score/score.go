// Package score gives a service its Instrumentation Score: a number from 0 to 100 that the
// rules of an open specification make of the OTLP that the service sent.
//
// The rules and the formula are the specification's
// (https://github.com/instrumentation-score/spec, Apache-2.0, commit e6ee222 of 2026-04-09)
// and no others, so that another program gives the same service the same score. What the
// lab finds beside them is with package findings and does not count here.
package score

import (
	"math"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

// Specification says which text of the specification the rules are of.
const Specification = "github.com/instrumentation-score/spec, commit e6ee222 of 2026-04-09"

// window is the time that a score covers, by the specification's default.
const window = 30 * 24 * time.Hour

// An Outcome is what a rule says of a service.
type Outcome string

// The outcomes.
const (
	Passed Outcome = "passed"
	Failed Outcome = "failed"
	// NotEvaluated says that the facts do not decide the rule. The rule is then in neither
	// sum of the formula.
	NotEvaluated Outcome = "not_evaluated"
)

// An Impact is how much a rule weighs.
type Impact string

// The impacts of the specification.
const (
	Critical  Impact = "critical"
	Important Impact = "important"
	Normal    Impact = "normal"
	Low       Impact = "low"
)

// weights are the specification's.
var weights = map[Impact]int{Critical: 40, Important: 30, Normal: 20, Low: 10}

// A Category names a range of scores.
type Category string

// The categories of the specification.
const (
	Excellent        Category = "excellent"         // 90 to 100
	Good             Category = "good"              // 75 to below 90
	NeedsImprovement Category = "needs_improvement" // 50 to below 75
	Poor             Category = "poor"              // below 50
)

// Card is the score of one service.
type Card struct {
	Service string `json:"service"`
	// RunID is the run that the facts are narrowed to; "" when they are of all runs.
	RunID string `json:"run_id"`
	// Score is from 0 to 100, rounded to two decimals.
	Score    float64  `json:"score"`
	Category Category `json:"category"`
	// Evaluated is the number of rules that count, of all Rules.
	Evaluated     int    `json:"evaluated"`
	Specification string `json:"specification"`
	// Since and Until are when the first and the last data arrived that the score is of.
	Since time.Time `json:"since"`
	Until time.Time `json:"until"`
	Rules []Rule    `json:"rules"`
	// Bounds say what the facts lack, each as a sentence.
	Bounds []string `json:"bounds"`
}

// Rule is what one rule says of the service.
type Rule struct {
	// ID is the specification's, such as RES-001.
	ID     string `json:"id"`
	Impact Impact `json:"impact"`
	// Title says when the rule passes.
	Title   string  `json:"title"`
	Outcome Outcome `json:"outcome"`
	// Reason says why the rule was not evaluated; "" if it was.
	Reason string `json:"reason"`
	// Evidence is of a failed rule: what breaks it, with a count, a name or a trace id.
	Evidence []string `json:"evidence"`
	// Advice is of a failed rule: what to change.
	Advice string `json:"advice"`
}

// Evaluate scores a service by its facts.
func Evaluate(s facts.Service, now time.Time) Card {
	card := Card{
		Service: s.Name, RunID: s.RunID, Specification: Specification,
		Since: s.FirstSeen, Until: s.LastSeen, Rules: []Rule{}, Bounds: append([]string{}, s.Bounds...),
	}
	s.Resources = recent(s.Resources, now.Add(-window))
	for _, r := range rules {
		v := r.judge(s)
		out := Rule{ID: r.id, Impact: r.impact, Title: r.title, Outcome: Passed, Evidence: []string{}}
		switch {
		case v.reason != "":
			out.Outcome, out.Reason = NotEvaluated, v.reason
		case len(v.evidence) > 0:
			out.Outcome, out.Evidence, out.Advice = Failed, v.evidence, r.advice
		}
		card.Rules = append(card.Rules, out)
	}
	score, evaluated := total(card.Rules)
	card.Score, card.Category, card.Evaluated = math.Round(score*100)/100, category(score), evaluated
	return card
}

// recent are the resources that sent something since then.
func recent(resources []facts.Resource, since time.Time) []facts.Resource {
	list := []facts.Resource{}
	for _, r := range resources {
		if !r.LastSeen.Before(since) {
			list = append(list, r)
		}
	}
	return list
}

// total is the specification's formula: the weights of the rules that passed, by the weights
// of those that were evaluated. It is 0 when no rule was.
func total(rules []Rule) (score float64, evaluated int) {
	passed, all := 0, 0
	for _, r := range rules {
		if r.Outcome == NotEvaluated {
			continue
		}
		evaluated++
		all += weights[r.Impact]
		if r.Outcome == Passed {
			passed += weights[r.Impact]
		}
	}
	if all == 0 {
		return 0, 0
	}
	return 100 * float64(passed) / float64(all), evaluated
}

// category names the range that a score is in. The specification's ranges are of whole
// numbers; what is between two ranges is in the lower one.
func category(score float64) Category {
	switch {
	case score >= 90:
		return Excellent
	case score >= 75:
		return Good
	case score >= 50:
		return NeedsImprovement
	}
	return Poor
}
