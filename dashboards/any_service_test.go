package dashboards

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// Series of services that measure what they answer in one way each.
func anybody() madeUp {
	all := madeUp{}
	// histogram adds one whose observations all lie between a tenth and the half of top.
	histogram := func(bucket, labels, top, below string, perSecond float64) {
		all[fmt.Sprintf(`%s{%s, le="%s"}`, bucket, labels, below)] = struct{ start, growth float64 }{0, 0}
		for _, le := range []string{top, "+Inf"} {
			all[fmt.Sprintf(`%s{%s, le="%s"}`, bucket, labels, le)] = struct{ start, growth float64 }{0, perSecond}
		}
	}
	count := func(name, labels string, perSecond float64) {
		all[name+"{"+labels+"}"] = struct{ start, growth float64 }{0, perSecond}
	}
	const current, older, spans = "http_server_request_duration_seconds", "http_server_duration_milliseconds", "traces_spanmetrics"

	count(current+"_count", `service_name="frontend", http_route="/users", http_response_status_code="200"`, 3)
	count(current+"_count", `service_name="frontend", http_route="/users", http_response_status_code="500"`, 1)
	histogram(current+"_bucket", `service_name="frontend", http_route="/users", http_response_status_code="200"`, "0.2", "0.1", 4)
	// Its spans are counted, too, and must not be counted again.
	count(spans+"_calls_total", `service="frontend", service_name="frontend", span_name="GET /users", span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_UNSET"`, 4)
	histogram(spans+"_latency_bucket", `service="frontend", service_name="frontend", span_name="GET /users", span_kind="SPAN_KIND_SERVER"`, "20", "10", 4)

	count(older+"_count", `service_name="old", http_route="/cart", http_status_code="200"`, 1)
	count(older+"_count", `service_name="old", http_route="/cart", http_status_code="503"`, 1)
	histogram(older+"_bucket", `service_name="old", http_route="/cart", http_status_code="200"`, "200", "100", 2)
	count(spans+"_calls_total", `service="old", service_name="old", span_name="GET /cart", span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_ERROR"`, 2)

	count(spans+"_calls_total", `service="grpc", service_name="grpc", span_name="shop.Cart/Add", span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_UNSET", http_route="/a"`, 4)
	// Spans of one name may have several routes.
	count(spans+"_calls_total", `service="grpc", service_name="grpc", span_name="shop.Cart/Add", span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_UNSET", http_route="/b"`, 2)
	count(spans+"_calls_total", `service="grpc", service_name="grpc", span_name="shop.Cart/Add", span_kind="SPAN_KIND_SERVER", status_code="STATUS_CODE_ERROR"`, 2)
	count(spans+"_calls_total", `service="grpc", service_name="grpc", span_name="SELECT", span_kind="SPAN_KIND_CLIENT", status_code="STATUS_CODE_UNSET"`, 50)
	count(spans+"_calls_total", `service="grpc", service_name="grpc", span_name="price", span_kind="SPAN_KIND_INTERNAL", status_code="STATUS_CODE_UNSET"`, 50)
	histogram(spans+"_latency_bucket", `service="grpc", service_name="grpc", span_name="shop.Cart/Add", span_kind="SPAN_KIND_SERVER", http_route="/a"`, "0.2", "0.1", 6)
	histogram(spans+"_latency_bucket", `service="grpc", service_name="grpc", span_name="shop.Cart/Add", span_kind="SPAN_KIND_SERVER", http_route="/b"`, "0.2", "0.1", 2)

	count(spans+"_calls_total", `service="queue", service_name="queue", span_name="orders process", span_kind="SPAN_KIND_CONSUMER", status_code="STATUS_CODE_UNSET"`, 5)
	histogram(spans+"_latency_bucket", `service="queue", service_name="queue", span_name="orders process", span_kind="SPAN_KIND_CONSUMER"`, "0.2", "0.1", 5)

	count(spans+"_calls_total", `service="job", service_name="job", span_name="nightly", span_kind="SPAN_KIND_INTERNAL", status_code="STATUS_CODE_UNSET"`, 7)
	histogram(spans+"_latency_bucket", `service="job", service_name="job", span_name="nightly", span_kind="SPAN_KIND_INTERNAL"`, "0.2", "0.1", 7)
	return all
}

// TestAnyService evaluates the panels about requests for services that measure them by
// HTTP metrics of either convention, or by nothing but spans.
func TestAnyService(t *testing.T) {
	half := map[string]string{"frontend p50": "0.15", "old p50": "0.15", "grpc p50": "0.15", "queue p50": "0.15", "job p50": "0.15"}
	for _, c := range []struct {
		uid, panel, query string
		chosen            string
		want              map[string]string
	}{
		{"lab-overview", "Requests by service", "A", "", map[string]string{"frontend": "4", "old": "2", "grpc": "8", "queue": "5", "job": "7"}},
		{"lab-overview", "Errors by service", "A", "", map[string]string{"frontend": "0.25", "old": "0.5", "grpc": "0.25", "queue": "0", "job": "0"}},
		{"lab-overview", "Duration by service", "A", "", half},
		{"lab-overview", "Requests", "A", "", map[string]string{"requests": "4"}},
		{"lab-overview", "Requests", "A", "grpc|queue", map[string]string{"requests": "13"}},
		{"lab-overview", "Errors, 5 min", "A", "old", map[string]string{"errors": "0.5"}},
		{"lab-overview", "p99, 5 min", "A", "old", map[string]string{"p99": "0.199"}},
		{"lab-performance", "Duration", "A", "", half},
		{"lab-performance", "Requests by route", "A", "", map[string]string{
			"frontend /users": "4", "old /cart": "2", "grpc shop.Cart/Add": "8", "queue orders process": "5", "job nightly": "7",
		}},
		{"lab-performance", "p95 by route", "A", "old|job", map[string]string{"old /cart": "0.195", "job nightly": "0.195"}},
	} {
		d, q := findIn(t, c.uid, c.panel, c.query)
		chosen := map[string]string{}
		if c.chosen != "" {
			chosen["service"] = c.chosen
		}
		if diff := cmp.Diff(c.want, anybody().byLegend(t, d, q, chosen)); diff != "" {
			t.Errorf("%s, of %q (- want, + got):\n%s", c.panel, c.chosen, diff)
		}
	}
}

// A service's namespace is on the metrics of its spans, too: choosing a namespace leaves
// out a service of another one that has only spans.
func TestAnyServiceInItsNamespace(t *testing.T) {
	series := madeUp{}
	for _, name := range []string{"shop", "bank"} {
		series[fmt.Sprintf(`traces_spanmetrics_calls_total{service_name=%q, k8s_namespace_name=%q, span_name="x", span_kind="SPAN_KIND_SERVER"}`, name+"-api", name)] = struct{ start, growth float64 }{0, 1}
	}
	d, q := findIn(t, "lab-overview", "Requests by service", "A")
	got := series.byLegend(t, d, q, map[string]string{"namespace": "bank"})
	if diff := cmp.Diff(map[string]string{"bank-api": "1"}, got); diff != "" {
		t.Errorf("services in the namespace bank (- want, + got):\n%s", diff)
	}
}

// The heatmap shows a service without HTTP metrics by its spans, and HTTP metrics alone
// where there are some.
func TestHeatmapOfAnyService(t *testing.T) {
	for chosen, want := range map[string]map[string]string{
		"grpc":          {"0.1": "0", "0.2": "80", "+Inf": "80"},
		"frontend|grpc": {"0.1": "0", "0.2": "40", "+Inf": "40"},
		"job":           {"0.1": "0", "0.2": "70", "+Inf": "70"},
	} {
		d, q := find(t, "How durations are spread", "A")
		if diff := cmp.Diff(want, anybody().byLegend(t, d, q, map[string]string{"service": chosen})); diff != "" {
			t.Errorf("of %s (- want, + got):\n%s", chosen, diff)
		}
	}
}
