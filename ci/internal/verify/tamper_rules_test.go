package verify

import (
	"time"

	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
)

func ruleTamperings() []tampering {
	// of changes what the ruler says of a rule.
	of := func(name string, change func(rule map[string]any)) func(*fake) {
		return func(f *fake) {
			f.rule = func(rule map[string]any) {
				if rule["name"] == name {
					change(rule)
				}
			}
		}
	}
	set := func(name, key string, value any) func(*fake) {
		return of(name, func(rule map[string]any) { rule[key] = value })
	}
	firing := func(severity string) []any {
		return []any{map[string]any{"labels": labels{"severity": severity}, "state": "firing", "annotations": labels{"summary": "Loki is down"}}}
	}
	// committed changes what verify takes for the committed rules, and not the ruler's.
	committed := func(change func(*rules.Group)) func(*fake) {
		return func(f *fake) {
			ruler := f.groups
			g := ruler[0]
			g.Rules = append([]rules.Rule{}, g.Rules...)
			change(&g)
			f.groups = []rules.Group{g}
			f.ruler = ruler
		}
	}
	const lokiDown = `the alert LokiDown{severity="page"} of demo.yaml, group demo`
	return []tampering{
		{name: "a ruler without rules", do: func(f *fake) { f.ruler = []rules.Group{} }, fails: []string{rulesLoaded, demoGroup, alertsFiring}, says: "Mimir does not have " + lokiDown},
		{name: "a rule is not loaded", do: of("LokiDown", func(rule map[string]any) { clear(rule) }), fails: []string{rulesLoaded}, says: "Mimir does not have " + lokiDown},
		{name: "a rule that is in no file", do: committed(func(g *rules.Group) { g.Rules = g.Rules[:6] }), fails: []string{rulesLoaded}, says: `Mimir has the alert SlowP99{severity="ticket"} of demo.yaml, group demo, which is in no file`},
		{name: "a rule with another expression", do: set("LokiDown", "query", `up{job="loki"} == 1`), fails: []string{rulesLoaded}, says: "Mimir has another " + lokiDown},
		{name: "a rule that waits longer", do: set("LokiDown", "duration", 60), fails: []string{rulesLoaded}, says: "for 1m0s"},
		{name: "a rule with other labels", do: set("LokiDown", "labels", labels{"severity": "ticket"}), fails: []string{rulesLoaded}, says: "Mimir does not have " + lokiDown},

		{name: "a rule that was never evaluated", do: set("LokiDown", "lastEvaluation", "0001-01-01T00:00:00Z"), fails: []string{demoGroup}, says: "LokiDown was never evaluated"},
		{name: "a rule that is not evaluated any more", do: set("LokiDown", "lastEvaluation", time.Now().Add(-time.Hour).Format(time.RFC3339)), fails: []string{demoGroup}, says: "LokiDown was last evaluated 1h"},
		{name: "a rule with an error", do: of(demoRecord, func(rule map[string]any) {
			rule["health"], rule["lastError"] = "err", "many-to-many matching not allowed"
		}),
			fails: []string{demoGroup}, says: demoRecord + ": its health is err: many-to-many matching not allowed"},
		{name: "a rule of unknown health", do: set(demoRecord, "health", "unknown"), fails: []string{demoGroup}, says: "its health is unknown"},

		{name: "nothing recorded", do: hide(demoRecord, "service_name", "backend"), fails: []string{recordUsers, ruleMetrics}, says: "Mimir has no sample of " + demoRecord + " within"},
		{name: "nothing recorded any more", do: func(f *fake) { f.frozen = series1(demoRecord, "service_name", "backend") }, fails: []string{recordUsers, ruleMetrics}, says: "its rule has nothing to record"},
		{name: "one of two that are recorded alike", do: hide(demoLosses, "cause", "given up"), fails: []string{recordGiven}, says: `no sample of ` + demoLosses + `{cause="given up"}`},
		{name: "the other one", do: hide(demoLosses, "cause", "discarded"), fails: []string{recordLost}, says: `{cause="discarded"}`},

		{name: "a rule's metric under another name", do: hide("demo_users_total", "job", "backend"), fails: []string{ruleMetrics}, says: "Mimir has no demo_users_total, which " + demoRecord + " selects"},
		{name: "a rule that names no metric", do: committed(func(g *rules.Group) { g.Rules[0].Expr = `sum({job="loki"})` }), fails: []string{ruleMetrics, rulesLoaded}, says: "does not name its metric"},

		{name: "an alert that somebody is woken for", do: set("LokiDown", "alerts", firing(page)), fails: []string{alertsFiring}, says: "LokiDown fires: Loki is down (docs/runbooks/LokiDown.md says what to do)"},
		{name: "no Watchdog", do: of(watchdog, func(rule map[string]any) { delete(rule, "alerts") }), fails: []string{alertsFiring}, says: "Watchdog does not fire"},
	}
}
