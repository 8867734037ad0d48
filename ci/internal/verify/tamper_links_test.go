package verify

import (
	"net/http"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/config/grafana"
)

// source changes the links of the data source with that uid.
func source(uid string, change func(*grafana.Links)) func(*fake) {
	return func(f *fake) {
		for i := range f.sources {
			if f.sources[i].UID == uid {
				change(&f.sources[i].Links)
			}
		}
	}
}

func linkTamperings() []tampering {
	derived := func(change func(*grafana.DerivedField)) func(*fake) {
		return source("loki", func(l *grafana.Links) { change(&l.Derived[0]) })
	}
	logs := func(change func(*grafana.LogsLink)) func(*fake) {
		return source("tempo", func(l *grafana.Links) { change(&l.Logs) })
	}
	metrics := func(change func(*grafana.MetricsLink)) func(*fake) {
		return source("tempo", func(l *grafana.Links) { change(&l.Metrics) })
	}
	query := func(n int, from, to string) func(*fake) {
		return metrics(func(l *grafana.MetricsLink) {
			l.Queries[n].Query = strings.ReplaceAll(l.Queries[n].Query, from, to)
		})
	}
	out := []tampering{
		{name: "a derived field of no label", do: derived(func(f *grafana.DerivedField) { f.Matcher = "traceID" }), fails: []string{logToTrace}, says: `no label of the line matches "traceID": it has http_response_status_code,`},
		{name: "a derived field of another label", do: derived(func(f *grafana.DerivedField) { f.Matcher = "span_id" }), fails: []string{logToTrace}, says: "which is not the id of the line's trace"},
		{name: "a derived field of the text", do: derived(func(f *grafana.DerivedField) { f.MatcherType, f.Matcher = "regex", `trace_id=(\w+)` }), fails: []string{logToTrace}, says: `the text of the line, "request", does not match`},
		{name: "a derived field that does not compile", do: derived(func(f *grafana.DerivedField) { f.Matcher = "(" }), fails: []string{logToTrace}, says: "the matcher of the derived field"},
		{name: "a derived field without a query", do: derived(func(f *grafana.DerivedField) { f.Query = "" }), fails: []string{logToTrace}, says: `Tempo would be asked for ""`},
		{name: "a derived field that leads nowhere", do: derived(func(f *grafana.DerivedField) { f.UID = "jaeger" }), fails: []string{logToTrace}, says: `the data source "jaeger", which is not provisioned`},
		{name: "a derived field that leads to logs", do: derived(func(f *grafana.DerivedField) { f.UID = "loki" }), fails: []string{logToTrace}, says: "of the type loki, not tempo"},

		{name: "logs by another label", do: logs(func(l *grafana.LogsLink) { l.Tags[0].Label = "service" }), fails: []string{traceToLogs}, says: `no line of the backend: {service="backend"} | trace_id = `},
		{name: "logs by an attribute that there is not", do: logs(func(l *grafana.LogsLink) { l.Tags[0].Attribute = "service" }), fails: []string{traceToLogs}, says: "has no attribute service to ask with"},
		{name: "logs of all traces", do: logs(func(l *grafana.LogsLink) { l.Query = "{${__tags}}" }), fails: []string{traceToLogs}, says: "a line of another trace"},
		{name: "logs with a variable that there is not", do: logs(func(l *grafana.LogsLink) { l.Query = `{${__tags}} | trace_id = "${__trace.id}"` }), fails: []string{traceToLogs}, says: "verify cannot fill"},
		{name: "logs of long ago", do: logs(func(l *grafana.LogsLink) { l.From, l.To = "-2h", "-1h" }), fails: []string{traceToLogs}, says: "no line of the backend"},
		{name: "logs of no time", do: logs(func(l *grafana.LogsLink) { l.From = "five minutes" }), fails: []string{traceToLogs}, says: "the shift of the time"},
		{name: "logs by Grafana's own query", do: logs(func(l *grafana.LogsLink) { l.Custom = false }), fails: []string{traceToLogs}, says: "customQuery"},
		{name: "logs that lead nowhere", do: logs(func(l *grafana.LogsLink) { l.UID = "elastic" }), fails: []string{traceToLogs}, says: `"elastic", which is not provisioned`},

		{name: "a rate of another metric", do: query(0, "calls_total", "calls"), fails: []string{traceToRate}, says: "for the span of the backend: no data: "},
		{name: "a rate that does not parse", do: query(0, "[1m]", ""), fails: []string{traceToRate}, says: "answered 400 Bad Request"},
		{name: "a share of another metric", do: query(1, "calls_total", "calls"), fails: []string{traceToErrors}, says: "no data"},
		{name: "a percentile of another metric", do: query(2, "latency_bucket", "latency"), fails: []string{traceToDuration}, says: "no data"},
		{name: "metrics by another label", do: metrics(func(l *grafana.MetricsLink) { l.Tags[0].Label = "service_name" }), fails: traceToMetrics, says: `service_name="backend"`},
		{name: "metrics by an attribute that there is not", do: metrics(func(l *grafana.MetricsLink) { l.Tags[0].Attribute = "name" }), fails: traceToMetrics, says: "has no attribute name"},
		{name: "metrics of no time", do: metrics(func(l *grafana.MetricsLink) { l.To = "later" }), fails: traceToMetrics, says: "the shift of the time"},
		{name: "metrics that lead nowhere", do: metrics(func(l *grafana.MetricsLink) { l.UID = "graphite" }), fails: traceToMetrics, says: `"graphite"`},

		{name: "exemplars with another name in the link", do: source("mimir", func(l *grafana.Links) { l.Exemplars[0].Name = "traceID" }),
			fails: []string{"links: exemplar → trace, by traceID"}, says: "of the frontend's requests: an exemplar without the label traceID: it has {span_id="},
		{name: "exemplars that lead nowhere", do: source("mimir", func(l *grafana.Links) { l.Exemplars[0].UID = "zipkin" }), fails: []string{exemplarToTrace}, says: `"zipkin"`},
		{name: "a service map of nothing", do: source("tempo", func(l *grafana.Links) { l.ServiceMap.UID = "graphs" }), fails: []string{mapLink}, says: `"graphs"`},
	}
	for kind, remove := range map[string]func(*fake){
		"log → trace":      source("loki", func(l *grafana.Links) { l.Derived = nil }),
		"trace → logs":     logs(func(l *grafana.LogsLink) { *l = grafana.LogsLink{} }),
		"trace → metrics":  metrics(func(l *grafana.MetricsLink) { *l = grafana.MetricsLink{} }),
		"exemplar → trace": source("mimir", func(l *grafana.Links) { l.Exemplars = nil }),
		"service map":      source("tempo", func(l *grafana.Links) { l.ServiceMap.UID = "" }),
	} {
		out = append(out, tampering{name: "no link " + kind, do: remove, fails: []string{"links: " + kind}, says: "has no such link"})
	}
	return out
}

func grafanaTamperings() []tampering {
	// path answers one path of Grafana's.
	path := func(suffix string, status int, body string) func(*fake) {
		return func(f *fake) {
			f.answers = func(part string, w http.ResponseWriter, r *http.Request) bool {
				if part != "grafana" || !strings.HasSuffix(r.URL.Path, suffix) {
					return false
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte(body)) // to a client that may be gone
				return true
			}
		}
	}
	model := func(from, to string) func(*fake) {
		return func(f *fake) { f.model = []byte(strings.ReplaceAll(string(f.model), from, to)) }
	}
	mimir, loki, tempo := grafanaSources[0], grafanaSources[1], grafanaSources[2]
	return []tampering{
		{name: "Grafana without its database", do: path("/api/health", 503, `{"database":"failing"}`), fails: []string{grafanaHealth}, says: "answered 503"},
		{name: "a data source that is not there", do: path("/uid/loki", 404, `{"message":"Data source not found"}`), fails: []string{loki}, says: "Data source not found"},
		{name: "a data source of another type", do: path("/uid/loki", 200, `{"type":"elasticsearch"}`), fails: []string{loki}, says: "of the type elasticsearch, not loki"},
		{name: "a data source that does not work", do: path("/uid/mimir/health", 400, `{"status":"ERROR","message":"connection refused"}`), fails: []string{mimir}, says: "connection refused"},
		{name: "a data source that Grafana does not reach", do: path("/api/echo", 502, `{"message":"connection refused"}`), fails: []string{tempo}, says: "connection refused"},
		{name: "a dashboard that is not there", do: path("/lab-demo", 404, `{"message":"Dashboard not found"}`), fails: []string{demoShown}, says: "Dashboard not found"},
		{name: "a dashboard that is not provisioned", do: path("/lab-demo", 200, `{"dashboard":{"title":"Lab / Demo"},"meta":{}}`), fails: []string{demoShown}, says: "the dashboard is not from a file"},
		{name: "a dashboard that is none", do: path("/lab-demo", 200, `{"dashboard":[],"meta":{"provisioned":true}}`), fails: []string{demoShown}, says: "this is not a dashboard"},
		{name: "a dashboard of another title", do: model("Lab / Demo", "Demo"), fails: []string{demoShown}, says: `its title is "Demo", not "Lab / Demo"`},
		{name: "a dashboard with a panel more", do: model(`"id": 11, "type": "row"`, `"id": 11, "type": "row", "collapsed": true, "panels": [{"type": "text", "title": "More"}]`), fails: []string{demoShown}, says: "it has 11 panels, not 10"},
		{name: "a dashboard with another query", do: model("demo_capacity", "demo_size"), fails: []string{demoShown}, says: "panel 1 differs"},
	}
}
