package verify

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/config/grafana"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// demo is what the fake is provisioned with: a dashboard with a panel of each kind of
// query, a group with a rule of each kind, and the lab's own data sources. The lab's
// own dashboards and rules change without regard to these tests; that a real lab has
// data for them is what the end-to-end tests verify.
func demo(t testing.TB) (c committed, model []byte) {
	model, err := os.ReadFile(filepath.Join("testdata", "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	d, err := dashboards.Read("demo.json", model)
	if err != nil {
		t.Fatal(err)
	}
	sources, err := grafana.Datasources()
	if err != nil {
		t.Fatal(err)
	}
	return committed{
		dashboards: []dashboards.Dashboard{d}, sources: sources,
		groups: []rules.Group{{File: "demo.yaml", Name: "demo", Interval: 10 * time.Second, Rules: []rules.Rule{
			{Record: demoRecord, Expr: `sum by (service_name) (rate(demo_users_total{service_name!="", job="backend"}[5m]))`},
			{Record: demoLosses, Labels: labels{"cause": "discarded"}, Expr: "sum(increase(loki_discarded_samples_total[5m]))"},
			{Record: demoLosses, Labels: labels{"cause": "given up"}, Expr: "sum(increase(otelcol_exporter_send_failed_spans_total[5m])) or vector(0)"},
			{Alert: watchdog, Expr: "vector(1)", Labels: labels{"severity": "none"}},
			{Alert: "LokiDown", Expr: `up{job="loki"} == 0`, For: 30 * time.Second, Labels: labels{"severity": page}},
			{Alert: "HighErrorRatio", Expr: demoRecord + " > 1", For: time.Minute, Labels: labels{"severity": page}},
			{Alert: "SlowP99", Expr: demoRecord + " > 2", Labels: labels{"severity": "ticket"}},
		}}},
	}, model
}

const (
	demoRecord = "demo:users:rate5m"
	demoLosses = "demo:lost:increase5m"
)

// seedDemo makes the series that the dashboard and the rules are of. The lock must be
// held.
func (f *fake) seedDemo() {
	for _, l := range []labels{
		{"__name__": "demo_requests_total", "service_name": "frontend", "k8s_namespace_name": "app"},
		{"__name__": "demo_capacity", "job": "demo"},
		{"__name__": "demo_duration_seconds_bucket", "le": "+Inf"},
		{"__name__": "demo_now_total"},
		{"__name__": "demo_node_load", "node": "a"},
		{"__name__": "demo_users_total", "service_name": "backend", "job": "backend"},
		{"__name__": demoRecord, "service_name": "backend"},
		{"__name__": demoLosses, "cause": "discarded"},
		{"__name__": demoLosses, "cause": "given up"},
	} {
		f.set(l, 12, 10*time.Minute)
	}
}
