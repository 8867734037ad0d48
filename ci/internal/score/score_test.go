package score

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/facts"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// good is a service that passes every rule but SPA-003, which no service can pass or fail.
func good() facts.Service {
	all := func(seen uint64) facts.Tally { return facts.Tally{Seen: seen} }
	return facts.Service{
		Name: "shop", FirstSeen: now.Add(-time.Hour), LastSeen: now,
		Resources: []facts.Resource{{FirstSeen: now.Add(-time.Hour), LastSeen: now, Attributes: map[string]string{
			"service.name": "shop", "service.instance.id": "a", "k8s.pod.name": "shop-1", "k8s.namespace.name": "app", "k8s.pod.uid": "u1",
			"telemetry.sdk.language": "go", "telemetry.sdk.version": "1.40.0", "process.runtime.version": "go1.26.0",
		}}},
		Spans: facts.Spans{Count: 10, Names: 2, ManyInternal: all(5), Orphans: all(5), ClientRoots: all(5), ManyShort: all(5)},
		Logs:  facts.Logs{Count: 10, WithoutSeverity: all(10), Debug: all(10)},
		Metrics: []facts.Metric{{
			Name: "http.server.request.duration", Units: []string{"s"}, Types: []string{"histogram"}, Boundaries: []string{"0.1,1"},
			Attributes: []facts.Attribute{{Key: "http.route", Level: "metric", Values: 9_999}},
		}},
		Attributes: []facts.Attribute{{Key: "http.request.method", Level: "span", Count: 10}, {Key: "service.name", Level: "resource", Count: 1}},
	}
}

func hits(t *facts.Tally) {
	t.Hits, t.Examples = 1, []facts.Example{{TraceID: "abc", Name: "odd", Detail: "why"}}
}

// pod is the resource of another pod.
func pod(name, uid string) facts.Resource {
	r := good().Resources[0]
	r.Attributes = maps.Clone(r.Attributes)
	r.Attributes["k8s.pod.name"], r.Attributes["k8s.pod.uid"] = name, uid
	return r
}

// faults make a good service fail exactly one rule.
var faults = []struct {
	rule  string
	spoil func(*facts.Service)
	// shown must be in the evidence.
	shown string
}{
	{"RES-005", func(s *facts.Service) { s.Name = " " }, "1 resources have no service.name"},
	{"RES-001", func(s *facts.Service) {
		r := pod("shop-2", "u2")
		delete(r.Attributes, "service.instance.id")
		s.Resources = append(s.Resources, r)
	}, "1 of 2 resources have no service.instance.id, such as that with k8s.pod.name=shop-2"},
	{"RES-002", func(s *facts.Service) { s.Resources = append(s.Resources, pod("shop-2", "u2")) }, "k8s.pod.name=app/shop-1 and with k8s.pod.name=app/shop-2"},
	{"RES-003", func(s *facts.Service) { delete(s.Resources[0].Attributes, "k8s.pod.uid") }, "1 of 1 resources have no k8s.pod.uid"},
	{"RES-004", func(s *facts.Service) {
		s.Attributes = append(s.Attributes, facts.Attribute{Key: "service.name", Level: "span", Count: 3, TraceID: "abc"})
	}, "service.name is on a span 3 times and belongs on the resource, as in trace abc"},
	{"RES-004", func(s *facts.Service) {
		s.Attributes = append(s.Attributes, facts.Attribute{Key: "http.request.method", Level: "resource", Count: 1})
	}, "http.request.method is on a resource"},
	{"SDK-001", func(s *facts.Service) { s.Resources[0].Attributes["process.runtime.version"] = "go1.20.1" }, "the runtime is go1.20.1"},
	{"SDK-001", func(s *facts.Service) {
		a := s.Resources[0].Attributes
		a["telemetry.sdk.language"], a["telemetry.sdk.version"], a["process.runtime.version"] = "nodejs", "2.2.0", "19.0.0"
	}, "supports ^18.19.0 || >=20.6.0, and the runtime is 19.0.0"},
	{"SPA-001", func(s *facts.Service) { hits(&s.Spans.ManyInternal) }, "odd: why, in trace abc"},
	{"SPA-002", func(s *facts.Service) { hits(&s.Spans.Orphans) }, "odd: why, in trace abc"},
	{"SPA-004", func(s *facts.Service) { hits(&s.Spans.ClientRoots) }, "1 of 5 root spans"},
	{"SPA-005", func(s *facts.Service) { hits(&s.Spans.ManyShort) }, "odd: why, in trace abc"},
	{"MET-001", func(s *facts.Service) { s.Metrics[0].Attributes[0].Values = 10_000 }, "http.route has 10000 values"},
	{"MET-002", func(s *facts.Service) { s.Metrics[0].Units = []string{""} }, "has no unit"},
	{"MET-002", func(s *facts.Service) { s.Metrics[0].Units = []string{"seconds"} }, "write s"},
	{"MET-003", func(s *facts.Service) { s.Metrics[0].Units = []string{"s", "ms"} }, `"s", "ms"`},
	{"MET-004", func(s *facts.Service) { s.Metrics[0].Boundaries = []string{"1,2", "1,3"} }, "2 sets of buckets"},
	{"MET-005", func(s *facts.Service) { s.Metrics[0].Name = "collection.duration.seconds" }, `its unit s as "seconds"`},
	{"MET-006", func(s *facts.Service) { s.Metrics[0].Name = "http.response.status_code" }, "is the key of an attribute"},
	{"LOG-001", func(s *facts.Service) {
		s.Logs.DebugFirst, s.Logs.DebugLast = now.Add(-15*24*time.Hour), now
	}, "15 days"},
	{"LOG-002", func(s *facts.Service) { hits(&s.Logs.WithoutSeverity) }, "odd: why"},
}

func TestEveryRulePassesAndFails(t *testing.T) {
	for _, r := range Evaluate(good(), now).Rules {
		if want := map[bool]Outcome{true: NotEvaluated, false: Passed}[r.ID == "SPA-003"]; r.Outcome != want {
			t.Errorf("a good service: %s is %s: %v %s", r.ID, r.Outcome, r.Evidence, r.Reason)
		}
	}
	failed := map[string]bool{"SPA-003": true}
	for _, fault := range faults {
		t.Run(fault.rule, func(t *testing.T) {
			failed[fault.rule] = true
			s := good()
			fault.spoil(&s)
			for _, r := range Evaluate(s, now).Rules {
				if got := r.Outcome == Failed; got != (r.ID == fault.rule) {
					t.Errorf("%s is %s: %v %s", r.ID, r.Outcome, r.Evidence, r.Reason)
				}
				if r.ID == fault.rule && (!strings.Contains(strings.Join(r.Evidence, "\n"), fault.shown) || r.Advice == "") {
					t.Errorf("evidence %q, advice %q; want %q", r.Evidence, r.Advice, fault.shown)
				}
			}
		})
	}
	for _, r := range rules {
		if !failed[r.id] {
			t.Errorf("no fault makes %s fail", r.id)
		}
	}
}

// What does not arrive is not judged, and leaves the score.
func TestNotEvaluated(t *testing.T) {
	card := Evaluate(facts.Service{Name: "shop", Resources: good().Resources}, now)
	for _, r := range card.Rules {
		if strings.HasPrefix(r.ID, "RES") || r.ID == "SDK-001" {
			continue
		}
		if r.Outcome != NotEvaluated || r.Reason == "" {
			t.Errorf("%s is %s: %q", r.ID, r.Outcome, r.Reason)
		}
	}
	if card.Score != 100 || card.Evaluated != 5 { // RES-004 has no attributes
		t.Errorf("score %v of %d rules", card.Score, card.Evaluated)
	}
	s := good()
	s.Logs.DebugFirst, s.Logs.DebugLast = now.Add(-time.Hour), now
	for _, r := range Evaluate(s, now).Rules {
		if r.ID == "LOG-001" && (r.Outcome != NotEvaluated || !strings.Contains(r.Reason, "1h0m0s")) {
			t.Errorf("DEBUG for an hour: %s %q", r.Outcome, r.Reason)
		}
	}
	if card := Evaluate(good(), now.Add(31*24*time.Hour)); slices.ContainsFunc(card.Rules, func(r Rule) bool {
		return r.ID == "RES-001" && r.Outcome != NotEvaluated
	}) {
		t.Error("a resource that was last seen 31 days ago counts")
	}
}

// Restarts are no two workloads; two at the same time are.
func TestInstanceIsSharedByTwoAtTheSameTime(t *testing.T) {
	resource := func(first, last int, pairs ...string) facts.Resource {
		r := facts.Resource{FirstSeen: now.Add(time.Duration(first) * time.Minute), LastSeen: now.Add(time.Duration(last) * time.Minute), Attributes: map[string]string{"service.instance.id": "a"}}
		for i := 0; i < len(pairs); i += 2 {
			r.Attributes[pairs[i]] = pairs[i+1]
		}
		return r
	}
	for _, test := range []struct {
		name      string
		resources []facts.Resource
		want      bool
	}{
		{"a restarted process", []facts.Resource{resource(0, 5, "process.pid", "1"), resource(6, 9, "process.pid", "2")}, false},
		{"two processes", []facts.Resource{resource(0, 5, "process.pid", "1"), resource(4, 9, "process.pid", "2")}, true},
		{"a restarted container of a pod", []facts.Resource{resource(0, 5, "k8s.pod.name", "p", "container.id", "1"), resource(4, 9, "k8s.pod.name", "p", "container.id", "2")}, false},
		{"two hosts", []facts.Resource{resource(0, 5, "host.name", "x"), resource(1, 2, "host.name", "y")}, true},
		{"two signals of one process", []facts.Resource{resource(0, 5, "host.name", "x"), resource(0, 5, "host.name", "x", "k", "v")}, false},
		{"two namespaces", []facts.Resource{resource(0, 5, "host.name", "x"), resource(0, 5, "host.name", "y", "service.namespace", "other")}, false},
	} {
		if got := instanceUnique(facts.Service{Resources: test.resources}); (len(got.evidence) > 0) != test.want {
			t.Errorf("%s: %v", test.name, got)
		}
	}
}

// The specification's own example: 4 of 8, 8 of 10, 6 of 8, 1 of 5.
func TestFormula(t *testing.T) {
	var list []Rule
	add := func(impact Impact, passed, all int) {
		for i := range all {
			outcome := Failed
			if i < passed {
				outcome = Passed
			}
			list = append(list, Rule{Impact: impact, Outcome: outcome}, Rule{Impact: impact, Outcome: NotEvaluated})
		}
	}
	add(Critical, 4, 8)
	add(Important, 8, 10)
	add(Normal, 6, 8)
	add(Low, 1, 5)
	got, evaluated := total(list)
	if text := fmt.Sprintf("%.2f", got); text != "63.86" || evaluated != 31 {
		t.Errorf("score %s of %d rules", text, evaluated)
	}
	if got, _ := total(nil); got != 0 || math.IsNaN(got) {
		t.Errorf("score of nothing: %v", got)
	}
	for score, want := range map[float64]Category{100: Excellent, 90: Excellent, 89.99: Good, 75: Good, 74.9: NeedsImprovement, 50: NeedsImprovement, 49.9: Poor, 0: Poor} {
		if got := category(score); got != want {
			t.Errorf("category(%v) = %s", score, got)
		}
	}
}

// The impacts are the specification's: the sum of all weights is that of its rules.
func TestRulesOfTheSpecification(t *testing.T) {
	sums := map[Impact]int{}
	for _, r := range rules {
		sums[r.impact]++
	}
	want := map[Impact]int{Critical: 1, Important: 12, Normal: 5, Low: 1}
	if !maps.Equal(sums, want) {
		t.Errorf("rules by impact %v, want %v", sums, want)
	}
}

func TestWriteText(t *testing.T) {
	s := good()
	hits(&s.Spans.Orphans)
	s.Bounds = []string{"Alloy dropped 7 spans."}
	var b strings.Builder
	if err := Evaluate(s, now).WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"shop: score 95.83 of 100, excellent; 18 of 19 rules evaluated, failed: SPA-002\n",
		"  SPA-002  normal     every parent id names a span of the trace\n           · 1 of 5 spans name a parent that is not there\n           · odd: why, in trace abc\n           → Sample",
		"  SPA-003  important  span names have a bounded number\n           the specification gives no number yet", "Not all was looked at: Alloy dropped 7 spans.",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is not in\n%s", want, b.String())
		}
	}
}
