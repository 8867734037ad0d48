package verify

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
)

// rules checks that Mimir's ruler has the committed rules and no others, evaluates
// them, and has the metrics that they select. No paging alert may fire, but for those in
// causedOnPurpose.
func (v *verifier) rules(ctx context.Context) {
	checks := []concurrentCheck{{name: "loaded", expected: fmt.Sprintf("%d groups as in config/mimir/rules, no others", len(v.groups)), run: v.rulesLoaded}}
	for _, g := range v.groups {
		checks = append(checks, concurrentCheck{name: "group " + g.Name, expected: fmt.Sprintf("evaluated every %v, without an error", g.Interval), run: func(ctx context.Context) (string, error) {
			return v.groupEvaluated(ctx, g)
		}})
	}
	for _, g := range v.groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				checks = append(checks, concurrentCheck{name: selectorOf(r), expected: "≥ 1 series, recorded just now", run: func(ctx context.Context) (string, error) {
					return v.recorded(ctx, g, r)
				}})
			}
		}
	}
	checks = append(checks,
		concurrentCheck{name: "metrics that rules name", expected: "each is in Mimir", run: v.ruleMetrics},
		concurrentCheck{name: "alerts", expected: watchdog + " fires, and no other alert that pages", run: v.alerts})
	v.checkAll(ctx, "rules", v.timing.rules, checks)
}

// selectorOf is the selector of the series that a rule records. Several rules may record
// one metric with different labels.
func selectorOf(r rules.Rule) string {
	if len(r.Labels) == 0 {
		return r.Record
	}
	return r.Record + braces(r.Labels)
}

// braces writes labels as a selector has them.
func braces(of map[string]string) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		parts = append(parts, fmt.Sprintf("%s=%q", name, of[name]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// rulesLoaded compares what Mimir has with the files, both ways.
func (v *verifier) rulesLoaded(ctx context.Context) (string, error) {
	want, has := map[string]string{}, map[string]string{}
	for _, g := range v.groups {
		for _, r := range g.Rules {
			want[ruleKey(g.File, g.Name, r.Alert != "", r.Name(), r.Labels)] += ruleText(r.Expr, r.For)
		}
	}
	groups, err := v.mimir.Rules(ctx)
	if err != nil {
		return "", err
	}
	n := 0
	for _, g := range groups {
		for _, r := range g.Rules {
			has[ruleKey(g.File, g.Name, r.Alerting, r.Name, r.Labels)] += ruleText(r.Query, r.For)
			n++
		}
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(want)) {
		switch text, ok := has[key]; {
		case !ok:
			errs = append(errs, fmt.Errorf("Mimir does not have %s", key))
		case text != want[key]:
			errs = append(errs, fmt.Errorf("Mimir has another %s:\n  %s\nnot\n  %s", key, text, want[key]))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(has)) {
		if _, ok := want[key]; !ok {
			errs = append(errs, fmt.Errorf("Mimir has %s, which is in no file", key))
		}
	}
	if len(errs) > 0 {
		errs = append(errs, errors.New("Mimir reads its rules when it starts: was it started with these?"))
	}
	return fmt.Sprintf("%d groups with %d rules", len(groups), n), errors.Join(errs...)
}

// ruleKey identifies a rule within all groups.
func ruleKey(file, group string, alerting bool, name string, of map[string]string) string {
	kind := "the record"
	if alerting {
		kind = "the alert"
	}
	return fmt.Sprintf("%s %s%s of %s, group %s", kind, name, braces(of), file, group)
}

// ruleText is a rule in one notation, to compare by: the files have line breaks and
// comments, and Mimir sorts the matchers.
func ruleText(expr string, wait time.Duration) string {
	if parsed, err := parser.NewParser(parser.Options{}).ParseExpr(expr); err == nil {
		expr = parsed.String()
	}
	return fmt.Sprintf("%s for %v;", expr, wait)
}

// groupEvaluated checks that each rule of a group was evaluated within two of its
// intervals, without an error.
func (v *verifier) groupEvaluated(ctx context.Context, want rules.Group) (string, error) {
	groups, err := v.mimir.Rules(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(groups, func(g query.RuleGroup) bool { return g.File == want.File && g.Name == want.Name })
	if i < 0 {
		return "not there", fmt.Errorf("Mimir does not have the group %s of %s", want.Name, want.File)
	}
	var errs []error
	var oldest time.Duration
	for _, r := range groups[i].Rules {
		age := time.Since(r.Evaluated)
		switch {
		case r.Evaluated.IsZero():
			errs = append(errs, fmt.Errorf("%s was never evaluated", r.Name))
		case r.LastError != "" || r.Health != "ok":
			errs = append(errs, fmt.Errorf("%s: its health is %s: %s", r.Name, r.Health, r.LastError))
		case age > 2*want.Interval+v.timing.export:
			errs = append(errs, fmt.Errorf("%s was last evaluated %v ago", r.Name, age.Round(time.Second)))
		}
		oldest = max(oldest, age)
	}
	if len(errs) > 0 {
		return fmt.Sprintf("%d of %d rules are not", len(errs), len(groups[i].Rules)), errors.Join(errs...)
	}
	return fmt.Sprintf("%d rules, %.0f s ago", len(groups[i].Rules), oldest.Seconds()), nil
}

// recorded checks that the series of a recording rule have samples of its last
// evaluations.
func (v *verifier) recorded(ctx context.Context, g rules.Group, r rules.Rule) (string, error) {
	window := 2*g.Interval + v.timing.alive
	n, found, err := v.mimir.Scalar(ctx, "count(last_over_time("+withRange(r.Record+braces(r.Labels), window)+"))", time.Now())
	if err == nil && !found && g.File == rules.Services && !v.hasServices() {
		return "", nothingSent
	}
	if err == nil && !found {
		err = fmt.Errorf("Mimir has no sample of %s within %v: its rule has nothing to record", selectorOf(r), window)
	}
	return fmt.Sprintf("%.0f series", n), err
}

// ruleMetrics checks that every metric that a rule selects is in Mimir under that name.
// For a metric that a healthy lab may lack it looks for another one, see
// [rules.MayBeMissing].
func (v *verifier) ruleMetrics(ctx context.Context) (string, error) {
	users := map[string][]string{} // metrics, and the rules that select them
	for _, g := range v.groups {
		for _, r := range g.Rules {
			metrics, err := rules.Metrics(r.Expr)
			if err != nil {
				return "", fmt.Errorf("%s: %w", r.Name(), err)
			}
			for _, m := range metrics {
				users[m] = append(users[m], r.Name())
			}
		}
	}
	asked := slices.Collect(maps.Keys(users))
	for _, m := range slices.Clone(asked) {
		if instead, ok := rules.MayBeMissing[m]; ok {
			asked = append(asked, instead)
		}
	}
	slices.Sort(asked)
	selector := fmt.Sprintf(`{__name__=~%q}`, strings.Join(slices.Compact(asked), "|"))
	samples, err := v.mimir.Instant(ctx, "count by (__name__) (last_over_time("+withRange(selector, v.timing.alive+v.longest())+"))", time.Now())
	if err != nil {
		return "", err
	}
	there := map[string]bool{}
	for _, s := range samples {
		there[s.Labels["__name__"]] = true
	}
	var errs []error
	missing := 0
	for _, m := range slices.Sorted(maps.Keys(users)) {
		instead, mayBeMissing := rules.MayBeMissing[m]
		switch {
		case there[m]:
		case mayBeMissing && there[instead]:
			missing++
		default:
			errs = append(errs, fmt.Errorf("Mimir has no %s, which %s selects", m, strings.Join(slices.Compact(users[m]), ", ")))
		}
	}
	measured := fmt.Sprintf("%d of %d metrics", len(users)-len(errs), len(users))
	if len(errs) > 0 && !v.hasServices() {
		return "", nothingSent
	}
	if missing > 0 {
		measured += fmt.Sprintf("; %d of these are not there yet, and need not be", missing)
	}
	return measured, errors.Join(errs...)
}

// longest is twice the longest interval of a group: the longest time between two
// samples of a recorded series.
func (v *verifier) longest() (longest time.Duration) {
	for _, g := range v.groups {
		longest = max(longest, 2*g.Interval)
	}
	return longest
}
