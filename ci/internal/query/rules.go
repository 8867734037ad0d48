package query

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// RuleGroup is a group of rules as Mimir's ruler has it.
type RuleGroup struct {
	// File is the name of the rule file that it is from.
	File, Name string
	Rules      []Rule
}

// Rule is a rule as Mimir's ruler has it, with the result of its last evaluation.
type Rule struct {
	// Name is the name of the alert, or of the recorded metric.
	Name string
	// Alerting tells an alert from a recording rule.
	Alerting bool
	// Query is PromQL, as Mimir writes it: with its matchers sorted, in one line.
	Query string
	// For is how long an alert is pending before it fires.
	For    time.Duration
	Labels map[string]string
	// Health is ok, err, or unknown before the first evaluation.
	Health    string
	LastError string
	// Evaluated is the time of the last evaluation, the zero time when there was none.
	Evaluated time.Time
	Alerts    []Alert
}

// Alert is what an alerting rule has raised.
type Alert struct {
	Labels  map[string]string
	Firing  bool // or else it is pending
	Summary string
}

// Rules returns the rules of Mimir's ruler. A ruler without rules is no error.
func (m Mimir) Rules(ctx context.Context) ([]RuleGroup, error) {
	var answer struct {
		Data struct {
			Groups []struct {
				Name  string `json:"name"`
				File  string `json:"file"`
				Rules []struct {
					Type           string            `json:"type"`
					Name           string            `json:"name"`
					Query          string            `json:"query"`
					Duration       float64           `json:"duration"` // seconds
					Labels         map[string]string `json:"labels"`
					Health         string            `json:"health"`
					LastError      string            `json:"lastError"`
					LastEvaluation time.Time         `json:"lastEvaluation"`
					Alerts         []struct {
						Labels      map[string]string `json:"labels"`
						Annotations map[string]string `json:"annotations"`
						State       string            `json:"state"`
					} `json:"alerts"`
				} `json:"rules"`
			} `json:"groups"`
		} `json:"data"`
	}
	if err := getJSON(ctx, m.HTTP, m.URL, "/prometheus/api/v1/rules", nil, &answer); err != nil {
		return nil, fmt.Errorf("the rules: %w", err)
	}
	var all []RuleGroup
	for _, g := range answer.Data.Groups {
		group := RuleGroup{File: g.File, Name: g.Name}
		for _, r := range g.Rules {
			rule := Rule{
				Name: r.Name, Alerting: r.Type == "alerting", Query: r.Query, For: time.Duration(r.Duration * float64(time.Second)),
				Labels: r.Labels, Health: r.Health, LastError: r.LastError, Evaluated: r.LastEvaluation,
			}
			for _, a := range r.Alerts {
				rule.Alerts = append(rule.Alerts, Alert{Labels: a.Labels, Firing: a.State == "firing", Summary: a.Annotations["summary"]})
			}
			group.Rules = append(group.Rules, rule)
		}
		all = append(all, group)
	}
	return all, nil
}

// LabelValues returns the values that a label of the selected series has had between
// two times, sorted. No value is no error.
func (m Mimir) LabelValues(ctx context.Context, label, selector string, from, to time.Time) ([]string, error) {
	var answer struct {
		Data []string `json:"data"`
	}
	params := url.Values{"match[]": {selector}, "start": {seconds(from)}, "end": {seconds(to)}}
	if err := getJSON(ctx, m.HTTP, m.URL, "/prometheus/api/v1/label/"+url.PathEscape(label)+"/values", params, &answer); err != nil {
		return nil, fmt.Errorf("values of %s of %s: %w", label, selector, err)
	}
	return answer.Data, nil
}
