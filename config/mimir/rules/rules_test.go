package rules

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// runbooks is the folder of the runbooks, and runbookURL their address in the web.
const (
	runbooks   = "../../../docs/runbooks"
	runbookURL = "https://github.com/lgtm-lab/lgtm-lab/blob/main/docs/runbooks/"
)

// all returns the rules, each with the name of its group.
func all(t *testing.T) map[string][]Rule {
	t.Helper()
	groups, err := All()
	if err != nil {
		t.Fatal(err)
	}
	byGroup := map[string][]Rule{}
	for _, g := range groups {
		if byGroup[g.Name] != nil {
			t.Errorf("two groups are called %s", g.Name)
		}
		if g.Interval < time.Second {
			t.Errorf("group %s: evaluated every %v", g.Name, g.Interval)
		}
		byGroup[g.Name] = g.Rules
	}
	return byGroup
}

// alerts returns the alerts by their names.
func alerts(t *testing.T) map[string][]Rule {
	t.Helper()
	byName := map[string][]Rule{}
	for _, rules := range all(t) {
		for _, r := range rules {
			if r.Alert != "" {
				byName[r.Alert] = append(byName[r.Alert], r)
			}
		}
	}
	return byName
}

// The rules have these alerts and no others.
func TestAlerts(t *testing.T) {
	want := []string{"AlloyDown", "BackendDown", "ForwardFailing", "FrontendDown", "HighErrorRatio", "HighTraceDropRate", "KubeletDown", "LogsLost",
		"LokiDown", "MetricsLost", "MimirDown", "QueueFilling", "RequestsRejected", "RuleFailures", "SlowP99", "StoreWritesFailing", "TelemetryRefused",
		"TempoDown", "VolumeFilling", "Watchdog"}
	if diff := cmp.Diff(want, slices.Sorted(maps.Keys(alerts(t)))); diff != "" {
		t.Errorf("alerts (-want +have):\n%s", diff)
	}
}

// Each alert has a severity, a summary, a description with its value, and a runbook.
func TestEveryAlertExplainsItself(t *testing.T) {
	for name, rules := range alerts(t) {
		distinct := map[string]bool{}
		for _, r := range rules {
			if !slices.Contains([]string{"page", "ticket", "none"}, r.Labels["severity"]) {
				t.Errorf("%s: severity %q", name, r.Labels["severity"])
			}
			if r.For == 0 && r.Labels["severity"] != "none" {
				t.Errorf("%s: it has no for, so that one sample is enough to fire", name)
			}
			if s := r.Annotations["summary"]; s == "" || len(s) > 100 || strings.HasSuffix(s, ".") {
				t.Errorf("%s: the summary is not a headline: %q", name, s)
			}
			if d := r.Annotations["description"]; !strings.HasSuffix(d, ".") || !strings.Contains(d, "$value") {
				t.Errorf("%s: the description is not a sentence with the value: %q", name, d)
			}
			if want := runbookURL + name + ".md"; r.Annotations["runbook_url"] != want {
				t.Errorf("%s: runbook_url %q, want %s", name, r.Annotations["runbook_url"], want)
			}
			for annotation := range r.Annotations {
				if !slices.Contains([]string{"summary", "description", "runbook_url"}, annotation) {
					t.Errorf("%s: the annotation %q is not used anywhere", name, annotation)
				}
			}
			distinct[fmt.Sprint(r.Labels)] = true
		}
		if len(distinct) != len(rules) {
			t.Errorf("%s: two of its %d rules have the same labels", name, len(rules))
		}
	}
}

// A comment before each alert explains its threshold and its `for`.
func TestEveryAlertIsJustified(t *testing.T) {
	names, err := filepath.Glob("*.yaml")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	for _, name := range names {
		raw, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		var before string
		for line := range strings.SplitSeq(string(raw), "\n") {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "- alert:") && !strings.HasPrefix(before, "#") {
				t.Errorf("%s: %s has no comment", name, line)
			}
			before = line
		}
	}
}

// Each alert has a page, whose title is the alert's name and which is in the index; and
// each page has an alert.
func TestRunbooks(t *testing.T) {
	index, err := os.ReadFile(filepath.Join(runbooks, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	have := map[string]bool{}
	for name := range alerts(t) {
		have[name+".md"] = true
		page, err := os.ReadFile(filepath.Join(runbooks, name+".md"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, part := range []string{"# " + name + "\n", "\n## What it means\n", "\n## How to look\n", "\n## What to do\n", "\n## How to try it\n"} {
			if !strings.Contains("\n"+string(page), "\n"+strings.TrimPrefix(part, "\n")) {
				t.Errorf("the page of %s has no %q", name, strings.TrimSpace(part))
			}
		}
		if !strings.Contains(string(index), fmt.Sprintf("[%s](%s.md)", name, name)) {
			t.Errorf("%s is not in the index of the runbooks", name)
		}
	}
	pages, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range pages {
		if name := filepath.Base(page); !have[name] && name != "README.md" {
			t.Errorf("there is no alert for %s", name)
		}
	}
}

// onDashboard matches a dashboard in a page, and the rest of the paragraph, in which its
// panels are named.
var (
	onDashboard = regexp.MustCompile(`[Dd]ashboard (Overview|Performance|Stack)\b((?:[^\n]|\n[^\n-])*)`)
	panel       = regexp.MustCompile(`\*([^*\n]+(?:\n *[^*\n]+)?)\*`)
)

// Panels that a runbook names are on the dashboard that it names.
func TestRunbooksNamePanels(t *testing.T) {
	boards, err := dashboards.All()
	if err != nil {
		t.Fatal(err)
	}
	titles := map[string]bool{}
	for _, d := range boards {
		for _, p := range d.Panels {
			titles[strings.TrimSuffix(d.File, ".json")+" "+p.Title] = true
		}
	}
	pages, err := filepath.Glob(filepath.Join(runbooks, "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, page := range pages {
		raw, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range onDashboard.FindAllStringSubmatch(string(raw), -1) {
			for _, p := range panel.FindAllStringSubmatch(m[2], -1) {
				named++
				if title := strings.Join(strings.Fields(p[1]), " "); !titles[strings.ToLower(m[1])+" "+title] {
					t.Errorf("%s: dashboard %s has no panel %q", filepath.Base(page), m[1], title)
				}
			}
		}
	}
	if named < 20 {
		t.Errorf("only %d panels found in the runbooks", named)
	}
}

// recorded is what a recorded metric is called: level:metric:operations.
var recorded = regexp.MustCompile(`^[a-z]+:[a-z][a-z0-9_]+:[a-z0-9_]+$`)

// Recorded metrics have conventional names, and rules and dashboards use only recorded
// metrics that exist.
func TestRecords(t *testing.T) {
	records, selected := map[string]bool{}, map[string]bool{}
	for group, rules := range all(t) {
		seen := map[string]bool{}
		for _, r := range rules {
			names, err := Metrics(r.Expr)
			if err != nil {
				t.Errorf("%s: %s: %v", group, r.Name(), err)
			}
			for _, name := range names {
				selected[name] = true
			}
			if r.Record == "" {
				continue
			}
			records[r.Record] = true
			if !recorded.MatchString(r.Record) {
				t.Errorf("%s: %s is not level:metric:operations", group, r.Record)
			}
			if id := r.Record + fmt.Sprint(r.Labels); seen[id] {
				t.Errorf("%s: two rules record %s", group, id)
			} else {
				seen[id] = true
			}
		}
	}
	for _, name := range []string{
		"service:http_server_requests:rate5m", "service:http_server_errors:ratio_rate5m", "service:http_server_errors:ratio_rate30m",
		"service:http_server_errors:ratio_rate1h", "service:http_server_errors:ratio_rate6h",
		"service:http_server_request_duration_seconds:p99_5m",
	} {
		if !records[name] {
			t.Errorf("no rule records %s", name)
		}
	}
	for name := range selected {
		if strings.Contains(name, ":") && !records[name] {
			t.Errorf("a rule selects %s, which no rule records", name)
		}
	}
	for metric, instead := range MayBeMissing {
		if !selected[metric] {
			t.Errorf("no rule selects %s: it need not be in MayBeMissing", metric)
		}
		if MayBeMissing[instead] != "" {
			t.Errorf("%s may be missing itself", instead)
		}
	}
}

func TestMetrics(t *testing.T) {
	for expr, want := range map[string][]string{
		`vector(1)`: nil,
		`up`:        {"up"},
		`sum(rate(b_total{x="y"}[5m])) / on () group_left () max_over_time(a:b:c[1h:1m]) > 2 or up`: {"a:b:c", "b_total", "up"},
		`{__name__="b_total"} unless b_total offset 5m`:                                             {"b_total"},
	} {
		have, err := Metrics(expr)
		if err != nil || !slices.Equal(have, want) {
			t.Errorf("Metrics(%s) = %v, %v, want %v", expr, have, err, want)
		}
	}
	if _, err := Metrics(`up and {__name__=~"a.+"}`); !errors.Is(err, ErrNoName) {
		t.Errorf("a selector without a name: %v", err)
	}
	if _, err := Metrics(`sum(`); err == nil {
		t.Error("no error for what is no PromQL")
	}
}

func TestRead(t *testing.T) {
	const good = "groups:\n- name: g\n  interval: 10s\n  rules:\n  - alert: A\n    expr: up == 0\n    for: 1m30s\n    labels: {severity: page}\n"
	groups, err := read(fstest.MapFS{"a.yaml": {Data: []byte(good)}, "notes.txt": {Data: []byte("no rules")}})
	if err != nil {
		t.Fatal(err)
	}
	want := []Group{{File: "a.yaml", Name: "g", Interval: 10 * time.Second, Rules: []Rule{
		{Alert: "A", Expr: "up == 0", For: 90 * time.Second, Labels: map[string]string{"severity": "page"}},
	}}}
	if diff := cmp.Diff(want, groups); diff != "" {
		t.Error(diff)
	}
	for what, change := range map[string][2]string{
		"an unknown field": {"labels:", "lables:"},
		"a bad interval":   {"10s", "often"},
		"a bad for":        {"1m30s", "a while"},
		"no name":          {"alert: A", "alert: ''"},
		"two names":        {"alert: A", "alert: A\n    record: a"},
	} {
		if _, err := read(fstest.MapFS{"a.yaml": {Data: []byte(strings.Replace(good, change[0], change[1], 1))}}); err == nil || !strings.Contains(err.Error(), "a.yaml") {
			t.Errorf("%s: error %v, want one that names the file", what, err)
		}
	}
}
