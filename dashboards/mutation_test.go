package dashboards

import (
	"strings"
	"testing"
)

// sound is a dashboard without problems.
const sound = `{
	"uid": "lab-x", "title": "Lab / X", "description": "What it is good for.", "tags": ["lab"], "refresh": "10s",
	"time": {"from": "now-30m", "to": "now"},
	"links": [{"title": "Others", "type": "dashboards", "tags": ["lab"]}],
	"templating": {"list": [{"name": "service", "type": "query", "query": "label_values(up{job!=\"\"}, job)",
		"datasource": {"type": "prometheus", "uid": "mimir"}, "current": {"value": "$__all"}, "allValue": ".+"}]},
	"panels": [
		{"id": 100, "type": "row", "title": "Row", "gridPos": {"x": 0, "y": 0, "w": 24, "h": 1}},
		{"id": 101, "type": "timeseries", "title": "Graph", "gridPos": {"x": 0, "y": 1, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "links": [{"title": "More", "type": "link", "url": "/d/lab-y?var-a=b"}],
		 "fieldConfig": {"defaults": {"unit": "s", "thresholds": {"steps": [{"value": null, "color": "green"}, {"value": 1, "color": "red"}]}}},
		 "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "mimir"}, "format": "time_series", "legendFormat": "{{job}}", "exemplar": true,
			"expr": "histogram_quantile(0.9, sum by (job, le) (rate(a_bucket{job=~\"$service\"}[$__rate_interval])))"}]},
		{"id": 102, "type": "stat", "title": "Number", "gridPos": {"x": 12, "y": 1, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "fieldConfig": {"defaults": {"unit": "short"}}, "options": {"reduceOptions": {"calcs": ["lastNotNull"]}},
		 "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "mimir"}, "format": "time_series", "expr": "max(b) or max(container_c)"}]},
		{"id": 103, "type": "table", "title": "Table", "gridPos": {"x": 0, "y": 9, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "fieldConfig": {"defaults": {"noValue": "Nothing"}},
		 "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "mimir"}, "format": "table", "instant": true, "expr": "max(d)"}]},
		{"id": 104, "type": "logs", "title": "Lines", "gridPos": {"x": 12, "y": 9, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "targets": [{"refId": "A", "datasource": {"type": "loki", "uid": "loki"}, "queryType": "range", "expr": "{job=~\"$service\"}"},
			{"refId": "B", "datasource": {"type": "tempo", "uid": "tempo"}, "queryType": "traceql", "limit": 20, "query": "{ status = error }"}]},
		{"id": 200, "type": "row", "title": "Nodes (Kubernetes)", "gridPos": {"x": 0, "y": 17, "w": 24, "h": 1}},
		{"id": 201, "type": "heatmap", "title": "Heat", "gridPos": {"x": 0, "y": 18, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "options": {"yAxis": {"unit": "s"}},
		 "targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "mimir"}, "format": "heatmap", "expr": "sum by (le) (rate(container_bucket[1m]))"}]}]}`

// TestProblems breaks the sound dashboard in one way at a time, and expects exactly that
// problem.
func TestProblems(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"nothing", "", "", ""},

		{"a foreign uid", `"lab-x"`, `"x"`, "begin it with lab-"},
		{"no name", `"Lab / X"`, `""`, "it has no title"},
		{"no description of the whole", `"What it is good for."`, `""`, "or no description"},
		{"no tag", `"tags": ["lab"], "refresh"`, `"tags": [], "refresh"`, "has not the tag lab"},
		{"another time range", `now-30m`, `now-6h`, "it shows now-6h to now"},
		{"another refresh", `"refresh": "10s"`, `"refresh": ""`, "the last 30 minutes every 10 s"},
		{"no links", `[{"title": "Others", "type": "dashboards", "tags": ["lab"]}]`, `[]`, "links to no other dashboard"},
		{"links by a tag that none has", `"dashboards", "tags": ["lab"]`, `"dashboards", "tags": ["labs"]`, `the link "Others"`},
		{"links by no tag", `"dashboards", "tags": ["lab"]`, `"dashboards", "tags": []`, `the link "Others"`},
		{"a link to nothing", `/d/lab-y`, `/d/lab-z`, `panel 101, "Graph": the link "More" (/d/lab-z`},

		{"two with one id", `"id": 102`, `"id": 101`, `panel 101, "Graph" and panel 101, "Number" have the same id`},
		{"a row's id for a panel", `"id": 201`, `"id": 200`, `row 200, "Nodes (Kubernetes)" and panel 200, "Heat" have the same id`},
		{"no id", `"id": 102, `, ``, `panel 0, "Number" has no id`},
		{"an overlap", `"x": 12, "y": 1,`, `"x": 11, "y": 1,`, `panel 102, "Number" lies upon panel 101, "Graph"`},
		{"an overlap with a row", `"x": 0, "y": 18`, `"x": 0, "y": 17`, `panel 201, "Heat" lies upon row 200`},
		{"beyond the right edge", `"x": 12, "y": 9, "w": 12`, `"x": 13, "y": 9, "w": 12`, "not within the 24 columns"},
		{"no height", `"y": 18, "w": 12, "h": 8`, `"y": 18, "w": 12`, "not within the 24 columns"},

		{"no title", `"title": "Graph"`, `"title": " "`, "it has no title"},
		{"a title twice", `"title": "Graph"`, `"title": "Number"`, `panels 101 and 102 are both called "Number"`},
		{"no description", `"y": 1, "w": 12, "h": 8},
		 "description": "It shows one thing.\n\n**When it is red or unusual:** do something about it."`, `"y": 1, "w": 12, "h": 8}, "description": ""`, "does not say what it shows"},
		{"a description without advice", `do something about it.",
		 "links"`, `?", "links"`, "what to do when it is red"},
		{"a description that shows nothing", `"It shows one thing.\n\n**When it is red or unusual:** do something about it.",
		 "links"`, `"It.\n\n**When it is red or unusual:** do something about it.", "links"`, "does not say what it shows"},
		{"no unit", `"unit": "s", `, ``, "it has no unit"},
		{"a heatmap without a unit", `{"yAxis": {"unit": "s"}}`, `{}`, `"Heat": it has no unit`},
		{"a number without a reduction", `"calcs": ["lastNotNull"]`, `"calcs": []`, "which value it shows"},
		{"a noValue that is not listed", `"unit": "short"`, `"unit": "short", "noValue": "None"`, `"Number": it has a noValue`},
		{"no first threshold", `{"value": null, "color": "green"}, `, ``, "do not rise"},
		{"falling thresholds", `{"value": 1, "color": "red"}`, `{"value": 2, "color": "red"}, {"value": 1, "color": "green"}`, "do not rise"},
		{"no query", `"targets": [{"refId": "A", "datasource": {"type": "prometheus", "uid": "mimir"}, "format": "table", "instant": true, "expr": "max(d)"}]`,
			`"targets": []`, `"Table": it has no query`},

		{"an unknown variable", `[$__rate_interval]`, `[$__rate_interval]) + sum(rate(a_bucket{b=\"$route\"}[1m])`, "there is no variable $route"},
		{"a variable without a value", `"value": "$__all"`, `"value": ""`, "the variable $service has no first value"},
		{"a variable that nobody can read", `"label_values(up{job!=\"\"}, job)"`, `"up"`, "is not label_values(selector, label)"},
		{"a variable of no metric", `up{job!=`, `up{job!!=`, "the variable $service: 1:"},
		{"an unused variable", `"list": [`, `"list": [{"name": "more", "type": "custom", "current": {"value": "a"}}, `, "no query uses the variable $more"},

		{"PromQL with an error", `sum by (job, le)`, `sum by job, le`, "parse error"},
		{"PromQL of the wrong type", `max(b) or`, `max(b[5m]) or`, "expected type instant vector"},
		{"a series without a name", `max(b) or`, `max({x=\"y\"}) or`, "by no name"},
		{"a legend of a label that is gone", `{{job}}`, `{{service}}`, "its legend has {{service}}, its series have only [job]"},
		{"exemplars of a gauge", `"expr": "max(b) or`, `"exemplar": true, "expr": "max(b) or`, "only histograms"},
		{"a letter twice", `"refId": "B"`, `"refId": "A"`, "its letter is missing or another's"},
		{"no letter", `"refId": "B", `, ``, "its letter is missing or another's"},
		{"an unknown data source", `"prometheus", "uid": "mimir"}, "format": "table"`, `"prometheus", "uid": "prometheus"}, "format": "table"`, `its data source is prometheus "prometheus"`},
		{"a data source of another type", `"type": "loki", "uid": "loki"`, `"type": "loki", "uid": "tempo"`, `its data source is loki "tempo"`},
		{"a table over time", `"instant": true, `, ``, "instant query of the format table"},
		{"a graph of an instant", `"format": "time_series", "legendFormat"`, `"format": "time_series", "instant": true, "legendFormat"`, "instant query of the format table"},
		{"a heatmap of series", `"heatmap", "expr"`, `"time_series", "expr"`, "the format of a heatmap is not time_series"},
		{"cells that overlap", `rate(container_bucket[1m])`, `increase(container_bucket[$__rate_interval])`, "counted in several"},
		{"a container outside a cluster", `max(b) or max(container_c)`, `max(container_c)`, "only there in a cluster"},
		{"a cluster's row without containers", `container_bucket`, `c_bucket`, "nothing in it needs a cluster"},
		{"LogQL without a type", `"queryType": "range", `, ``, "a query of Loki is"},
		{"LogQL without streams", `"{job=~\"$service\"}"`, `"$service"`, "a query of Loki is"},
		{"TraceQL without a type", `"queryType": "traceql", `, ``, "a query of Tempo is"},
		{"TraceQL without a limit", `"limit": 20, `, ``, "a query of Tempo is"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if n := strings.Count(sound, c.old); c.old != "" && n == 0 {
				t.Fatalf("there is no %s to break", c.old)
			}
			d, err := Read("x.json", []byte(strings.Replace(sound, c.old, c.new, 1)))
			if err != nil {
				t.Fatal(err)
			}
			other, err := Read("y.json", []byte(`{"uid": "lab-y", "tags": ["lab"]}`))
			if err != nil {
				t.Fatal(err)
			}
			check := checker{
				sources:    map[string]string{"mimir": Prometheus, "loki": Loki, "tempo": Tempo},
				all:        []Dashboard{d, other},
				mayBeEmpty: []string{d.UID + "/Table"},
			}
			got := check.problems(d)
			if c.want == "" {
				if len(got) > 0 {
					t.Errorf("a sound dashboard has problems:\n%s", strings.Join(got, "\n"))
				}
				return
			}
			if len(got) != 1 || !strings.Contains(got[0], c.want) {
				t.Errorf("the problems are\n%s\nwant one, with %q", strings.Join(got, "\n"), c.want)
			}
		})
	}
}
