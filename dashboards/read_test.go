package dashboards

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// whole has one of everything that Read reads.
const whole = `{
	"uid": "lab-x", "title": "X", "description": "What it is.", "tags": ["lab"], "refresh": "10s", "schemaVersion": 42,
	"time": {"from": "now-30m", "to": "now"},
	"links": [{"title": "Others", "type": "dashboards", "tags": ["lab"]}],
	"templating": {"list": [
		{"name": "service", "label": "Service", "type": "query", "query": "label_values(up, job)", "multi": true,
		 "datasource": {"type": "prometheus", "uid": "mimir"}, "current": {"text": ["All"], "value": ["$__all"]}, "allValue": ".+"},
		{"name": "route", "type": "query", "query": {"query": "label_values(route)", "refId": "A"}, "current": {"value": "/a"}},
		{"name": "none", "type": "custom", "query": "a,b", "current": {"value": "$__all"}}]},
	"panels": [
		{"id": 9, "type": "text", "title": "Above"},
		{"id": 1, "type": "row", "title": "First", "gridPos": {"y": 9, "w": 24, "h": 1}},
		{"id": 2, "type": "timeseries", "title": "T", "description": "D", "gridPos": {"x": 12, "y": 1, "w": 6, "h": 8},
		 "datasource": {"type": "prometheus", "uid": "mimir"}, "links": [{"title": "L", "type": "link", "url": "/d/lab-y"}],
		 "fieldConfig": {
			"defaults": {"unit": "s", "noValue": "Nothing", "decimals": 2, "min": 0, "max": 1,
				"custom": {"stacking": {"mode": "normal"}},
				"thresholds": {"steps": [{"value": null, "color": "green"}, {"value": 0.5, "color": "red"}]},
				"mappings": [{"type": "value", "options": {"1": {"text": "up", "color": "green"}, "0": {"text": "down", "color": "red"}}},
					{"type": "special", "options": {"match": "null"}}]},
			"overrides": [{"matcher": {"id": "byName", "options": "rate"}, "properties": [{"id": "unit", "value": "reqps"}]}]},
		 "options": {"reduceOptions": {"calcs": ["max"]}, "sortBy": [{"displayName": "Rate", "desc": true}, {"displayName": "job"}]},
		 "transformations": [{"id": "organize", "options": {"excludeByName": {"Time": true, "le": false}, "renameByName": {"Value": "Rate"}}}],
		 "targets": [
			{"refId": "A", "expr": "up", "legendFormat": "{{job}}", "instant": true, "format": "table", "exemplar": true, "interval": "15s", "hide": true},
			{"refId": "B", "datasource": {"type": "loki", "uid": "loki"}, "expr": "{a=\"b\"}", "queryType": "range", "maxLines": 50},
			{"refId": "C", "datasource": {"type": "tempo", "uid": "tempo"}, "query": "{}", "queryType": "traceql", "limit": 20, "tableType": "traces"},
			{"refId": "D", "datasource": {"type": "tempo", "uid": "tempo"}, "query": "", "serviceMapQuery": "{client=\"a\"}", "queryType": "serviceMap"},
			{"refId": "E", "datasource": {"type": "loki", "uid": "loki"}, "expr": "x", "queryType": "instant"}]},
		{"id": 3, "type": "row", "title": "Second (Kubernetes)", "collapsed": true, "panels": [{"id": 4, "type": "heatmap", "title": "Inside", "options": {"yAxis": {"unit": "s"}}}]}]}`

func TestRead(t *testing.T) {
	got, err := Read("x.json", []byte(whole))
	if err != nil {
		t.Fatal(err)
	}
	one, zero, two := 1.0, 0.0, 2
	want := Dashboard{
		File: "x.json", UID: "lab-x", Title: "X", Description: "What it is.", Tags: []string{"lab"}, From: "now-30m", To: "now", Refresh: "10s",
		Links: []Link{{Title: "Others", Type: "dashboards", Tags: []string{"lab"}}},
		Rows: []Row{
			{ID: 1, Title: "First", Grid: Grid{0, 9, 24, 1}},
			{ID: 3, Title: "Second (Kubernetes)", Collapsed: true},
		},
		Variables: []Variable{
			{Name: "service", Label: "Service", Type: "query", Query: "label_values(up, job)", Datasource: Prometheus, Default: "$__all", AllValue: ".+", Multi: true},
			{Name: "route", Type: "query", Query: "label_values(route)", Default: "/a"},
			{Name: "none", Type: "custom", Query: "a,b", Default: "$__all"},
		},
		Panels: []Panel{
			{ID: 9, Type: "text", Title: "Above"},
			{
				ID: 2, Row: "First", Title: "T", Description: "D", Type: "timeseries", Unit: "s", NoValue: "Nothing", Grid: Grid{12, 1, 6, 8},
				Thresholds: []Threshold{{math.Inf(-1), "green"}, {0.5, "red"}}, Decimals: &two, Min: &zero, Max: &one, Stacked: true, Reduce: "max",
				Values: []ValueText{{"0", "down", "red"}, {"1", "up", "green"}}, Fields: []Field{{"byName", "rate", "reqps"}},
				Hidden: []string{"Time"}, Renamed: map[string]string{"Value": "Rate"}, Links: []Link{{Title: "L", Type: "link", URL: "/d/lab-y"}},
				Sort: []Sort{{"Rate", true}, {Column: "job"}},
				Queries: []Query{
					{RefID: "A", Datasource: Prometheus, UID: "mimir", Expr: "up", Legend: "{{job}}", Instant: true, Format: "table", Exemplar: true,
						MinStep: 15 * time.Second, Hidden: true},
					{RefID: "B", Datasource: Loki, UID: "loki", Expr: `{a="b"}`, QueryType: LokiRange, Limit: 50},
					{RefID: "C", Datasource: Tempo, UID: "tempo", Expr: "{}", QueryType: TempoTraceQL, Limit: 20, Format: "traces"},
					{RefID: "D", Datasource: Tempo, UID: "tempo", Expr: `{client="a"}`, QueryType: TempoServiceMap},
					{RefID: "E", Datasource: Loki, UID: "loki", Expr: "x", QueryType: LokiInstant, Instant: true},
				},
			},
			{ID: 4, Row: "Second (Kubernetes)", Type: "heatmap", Title: "Inside", Unit: "s"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the dashboard (- want, + got):\n%s", diff)
	}
	if got.Panels[1].InCluster() || !got.Panels[2].InCluster() {
		t.Error("the panel in the row for Kubernetes, and no other, is one for a cluster")
	}
}

func TestReadErrors(t *testing.T) {
	for want, data := range map[string]string{
		"not a dashboard":            `[]`,
		`panel 2, "T": query A`:      `{"panels": [{"id": 2, "title": "T", "targets": [{"refId": "A", "interval": "$x"}]}]}`,
		`panel 3, "I": query B`:      `{"panels": [{"type": "row", "panels": [{"id": 3, "title": "I", "targets": [{"refId": "B", "interval": "1d"}]}]}]}`,
		"value mappings":             `{"panels": [{"fieldConfig": {"defaults": {"mappings": [{"type": "value", "options": 1}]}}}]}`,
		"unexpected end of JSON inp": `{"panels": [`,
	} {
		if _, err := Read("x.json", []byte(data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nis read with the error %v, want one with %q", data, err, want)
		}
	}
}

func TestAll(t *testing.T) {
	all, err := All()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, d := range all {
		names = append(names, d.File+" "+d.UID)
		if len(d.Panels) == 0 {
			t.Errorf("%s has no panels", d.File)
		}
	}
	if diff := cmp.Diff([]string{"overview.json lab-overview", "performance.json lab-performance", "stack.json lab-stack"}, names); diff != "" {
		t.Errorf("the dashboards (- want, + got):\n%s", diff)
	}
}
