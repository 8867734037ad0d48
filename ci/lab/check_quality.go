package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/findings"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/inspector"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/score"
)

// quality answers the cases' questions about the score and the findings, from the facts
// that the inspector keeps.
type quality struct{ inspector inspector.Client }

// facts returns the facts of the run's services, or of the named one.
func (q quality) facts(ctx context.Context, scope judge.Scope) ([]facts.Service, error) {
	known, err := q.inspector.Services(ctx)
	if err != nil {
		return nil, err
	}
	var all []facts.Service
	for _, summary := range known {
		s, err := q.inspector.Facts(ctx, summary.Name, scope.RunID)
		if errors.Is(err, inspector.ErrNoFacts) {
			continue // of other runs
		}
		if err != nil {
			return nil, err
		}
		if !s.LastSeen.Before(scope.Since) {
			all = append(all, s)
		}
	}
	return all, nil
}

// notAnswered is the verdict when there are no facts.
func notAnswered(rule string, err error) judge.Verdict {
	message := "the inspector has seen nothing of this run yet"
	if err != nil {
		message = err.Error()
	}
	return judge.Verdict{Final: errors.Is(err, inspector.ErrOff), Failures: []judge.Failure{{Rule: rule, Message: message}}}
}

// Score implements [check.Quality].
func (q quality) Score(ctx context.Context, e cases.ScoreExpectation, scope judge.Scope) judge.Verdict {
	all, err := q.facts(ctx, scope)
	if err != nil || len(all) == 0 {
		return notAnswered("score", err)
	}
	v := judge.Verdict{Revocable: true, Rows: len(all)}
	missing := make(map[string]bool, len(e.Services))
	for name := range e.Services {
		missing[name] = true
	}
	for _, s := range all {
		delete(missing, s.Name)
		want, named := e.Services[s.Name]
		switch {
		case named:
		case e.All != nil:
			want = *e.All
		default:
			continue
		}
		if card := score.Evaluate(s, time.Now()); !want.Holds(card.Score) {
			v.Failures = append(v.Failures, judge.Failure{
				Rule:    "score",
				Message: fmt.Sprintf("the score of %s is %v of 100, want %s", s.Name, card.Score, want),
				Nearest: failedRules(card),
			})
		}
	}
	for name := range missing {
		v.Failures = append(v.Failures, judge.Failure{Rule: "score", Message: fmt.Sprintf("the service %s has sent nothing in this run", name)})
	}
	v.OK = len(v.Failures) == 0
	return v
}

// failedRules says which rules the service fails, with the evidence, and what to change.
func failedRules(card score.Card) []string {
	var lines []string
	for _, r := range card.Rules {
		if r.Outcome == score.Failed {
			lines = append(lines, fmt.Sprintf("%s (%s) does not hold: %s. %s", r.ID, r.Impact, r.Title, strings.Join(r.Evidence, "; ")), "  "+r.Advice)
		}
	}
	return lines
}

// Findings implements [check.Quality].
func (q quality) Findings(ctx context.Context, e cases.FindingsExpectation, scope judge.Scope) judge.Verdict {
	for _, kind := range e.Allowed {
		if !slices.Contains(findings.Kinds, findings.Kind(kind)) {
			return judge.Verdict{Final: true, Failures: []judge.Failure{{
				Rule: "findings", Message: fmt.Sprintf("there is no finding %q", kind), Nearest: []string{fmt.Sprintf("the kinds are %v", findings.Kinds)},
			}}}
		}
	}
	all, err := q.facts(ctx, scope)
	if err != nil || len(all) == 0 {
		return notAnswered("findings", err)
	}
	// A count of at least one row: there was telemetry to look at.
	v := judge.Verdict{Revocable: true, Rows: len(all)}
	for _, s := range all {
		for _, f := range findings.Find(s) {
			if slices.Contains(e.Allowed, string(f.Kind)) {
				continue
			}
			v.Failures = append(v.Failures, judge.Failure{
				Rule: "findings", Message: fmt.Sprintf("%s: %s (%s)", s.Name, f.Title, f.Kind),
				Nearest: append(slices.Clone(f.Evidence), f.Advice),
			})
		}
	}
	v.OK = len(v.Failures) == 0
	return v
}
