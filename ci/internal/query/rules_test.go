package query

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestRules reads an answer of the shape of Mimir's 3.0.
func TestRules(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":{"groups":[{"name":"stack-up","file":"stack.yaml","interval":5,"rules":[
		{"state":"firing","name":"LokiDown","query":"up{job=\"loki\"} == 0","duration":30,"keepFiringFor":0,"labels":{"severity":"page"},
			"annotations":{"summary":"Loki is down"},"health":"ok","lastError":"","type":"alerting","lastEvaluation":"2026-11-22T16:39:57.5Z","evaluationTime":0.002,
			"alerts":[{"labels":{"alertname":"LokiDown","job":"loki"},"annotations":{"summary":"Loki is down"},"state":"firing","activeAt":"2026-11-22T16:39:57Z","value":"0e+00"},
				{"labels":{},"state":"pending"}]},
		{"name":"a:b:c","query":"sum(up)","labels":{},"health":"unknown","lastError":"no luck","type":"recording","lastEvaluation":"0001-01-01T00:00:00Z","evaluationTime":0}],
		"lastEvaluation":"2026-11-22T16:39:57Z","evaluationTime":0.007,"sourceTenants":null}]},"errorType":"","error":""}`)
	got, err := (Mimir{url, http.DefaultClient}).Rules(t.Context())
	want := []RuleGroup{{File: "stack.yaml", Name: "stack-up", Rules: []Rule{
		{Name: "LokiDown", Alerting: true, Query: `up{job="loki"} == 0`, For: 30 * time.Second, Labels: map[string]string{"severity": "page"},
			Health: "ok", Evaluated: time.Date(2026, 11, 22, 16, 39, 57, 5e8, time.UTC), Alerts: []Alert{
				{Labels: map[string]string{"alertname": "LokiDown", "job": "loki"}, Firing: true, Summary: "Loki is down"},
				{Labels: map[string]string{}},
			}},
		{Name: "a:b:c", Query: "sum(up)", Labels: map[string]string{}, Health: "unknown", LastError: "no luck"},
	}}}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("error %v, rules (- want, + got):\n%s", err, diff)
	}
	if a.asked.URL.Path != "/prometheus/api/v1/rules" {
		t.Errorf("asked was %s", a.asked.URL)
	}
	url, _ = serve(t, 200, `{"status":"success","data":{"groups":[]}}`)
	if got, err := (Mimir{url, http.DefaultClient}).Rules(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("no rules are %v, %v", got, err)
	}
}

func TestLabelValues(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":["/stats","/users"]}`)
	got, err := (Mimir{url, http.DefaultClient}).LabelValues(t.Context(), "http_route", `a{b="c"}`, from, to)
	if diff := cmp.Diff([]string{"/stats", "/users"}, got); diff != "" || err != nil {
		t.Errorf("error %v, values (- want, + got):\n%s", err, diff)
	}
	checkAsked(t, a, "/prometheus/api/v1/label/http_route/values", map[string]string{"match[]": `a{b="c"}`, "start": "1795354900.250", "end": "1795354960.999"})
}
