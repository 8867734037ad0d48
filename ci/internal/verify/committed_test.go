package verify

import (
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// TestCommitted holds what verify can be asked to verify: what of the lab's own
// dashboards, rules and links it does not understand must not be found out by a lab.
func TestCommitted(t *testing.T) {
	c, err := readCommitted()
	if err != nil {
		t.Fatal(err)
	}
	if len(c.dashboards) == 0 || len(c.groups) == 0 || len(c.sources) == 0 {
		t.Fatalf("%d dashboards, %d groups of rules, %d data sources", len(c.dashboards), len(c.groups), len(c.sources))
	}
	for _, d := range c.dashboards {
		w, err := open(d)
		if err != nil {
			t.Errorf("%s: %v", d.Title, err)
			continue
		}
		names := map[string]bool{}
		for _, p := range d.Panels {
			if names[p.Title] {
				t.Errorf("%s has two panels %q: a check of verify is known by that", d.Title, p.Title)
			}
			names[p.Title] = true
			for _, q := range p.Queries {
				if steps := w.length / w.step(q); steps > maxSteps || steps < 10 {
					t.Errorf("%s, %s: %d steps of %v", d.Title, p.Title, steps, w.step(q))
				}
				if left := dashboards.References(q.Fill(w.values, w.step(q), w.length)); len(left) > 0 {
					t.Errorf("%s, %s: variables without a value: %q", d.Title, p.Title, left)
				}
			}
		}
		for _, v := range d.Variables {
			if v.Type == "query" && !labelValues.MatchString(v.Query) {
				t.Errorf("%s, $%s: %s is no label_values", d.Title, v.Name, v.Query)
			}
		}
	}
	paging := map[string]bool{}
	var longest time.Duration
	for _, g := range c.groups {
		longest = max(longest, g.Interval)
		for _, r := range g.Rules {
			if _, err := rules.Metrics(r.Expr); err != nil {
				t.Error(err)
			}
			if r.Alert == watchdog && r.For > 0 {
				t.Errorf("%s waits %v: verify of a new lab would not find it firing", watchdog, r.For)
			}
			if r.Labels["severity"] == page {
				paging[r.Alert] = true
			}
		}
	}
	for alert := range causedOnPurpose {
		if !paging[alert] {
			t.Errorf("%s does not page, so verify need not allow it", alert)
		}
	}
	if u := usual(); u.panels < longest+2*u.export || u.rules < longest+2*u.export {
		t.Errorf("a group is evaluated every %v, and verify waits only %v and %v for its records", longest, u.panels, u.rules)
	}
}

func TestOpen(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     time.Duration
	}{
		{"now-30m", "now", 30 * time.Minute}, {"now-6h", "now", 6 * time.Hour}, {"now-1d", "now", 24 * time.Hour},
		{"now-0m", "now", 0}, {"now/d", "now", 0}, {"now-6h", "now-1h", 0}, {"", "", 0}, {"30m", "now", 0},
	} {
		w, err := open(dashboards.Dashboard{From: c.from, To: c.to})
		if w.length != c.want || (err == nil) != (c.want > 0) {
			t.Errorf("%q to %q: %v, %v, want %v", c.from, c.to, w.length, err, c.want)
		}
	}
}

func TestTallies(t *testing.T) {
	for want, all := range map[string]tallies{
		"":                                nil,
		"1 series":                        {{n: 1, of: "series"}},
		"2/0/2 series, 14 exemplars":      {{n: 2, of: "series", exemplars: 4}, {n: 0, of: "series"}, {n: 2, of: "series", exemplars: 10}},
		"2/1 series, 3 lines, 4 series":   {{n: 2, of: "series"}, {n: 1, of: "series"}, {n: 3, of: "lines"}, {n: 4, of: "series"}},
		"20 traces, 4 edges, 9 exemplars": {{n: 20, of: "traces"}, {n: 4, of: "edges", exemplars: 9}},
	} {
		if got := all.String(); got != want {
			t.Errorf("%v is %q, want %q", []count(all), got, want)
		}
	}
}
