package verify

import (
	"math"
	"net/http"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// answering answers those requests to a part whose query contains a text.
func answering(part, text string, answer http.HandlerFunc) func(*fake) {
	return func(f *fake) {
		f.answers = func(asked string, w http.ResponseWriter, r *http.Request) bool {
			query := r.FormValue("query") + r.FormValue("q") + r.FormValue("match[]")
			if asked != part || !strings.Contains(query, text) {
				return false
			}
			answer(w, r)
			return true
		}
	}
}

// empty is an answer without data.
func empty(resultType string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { writeData(w, resultType, []any{}) }
}

// panel changes a panel of the demo, by its title.
func panel(title string, change func(*dashboards.Panel)) func(*fake) {
	return func(f *fake) {
		for i := range f.dashboards[0].Panels {
			if p := &f.dashboards[0].Panels[i]; p.Title == title {
				change(p)
			}
		}
	}
}

// expr changes the first query of a panel, which Grafana then has otherwise.
func expr(title, text string) func(*fake) {
	return panel(title, func(p *dashboards.Panel) { p.Queries[0].Expr = text })
}

func panelTamperings() []tampering {
	named := func(name string) func(*fake) {
		return func(f *fake) { f.hidden = func(l labels) bool { return l["__name__"] == name } }
	}
	old := func(f *fake) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.set(labels{"__name__": "demo_requests_total", "service_name": "frontend", "k8s_namespace_name": "app"}, 13, 2*time.Minute)
		f.frozen = func(l labels) bool { return l["__name__"] == "demo_requests_total" }
	}
	number := func(of string, value float64) func(*fake) {
		return func(f *fake) {
			f.number = func(expr string) float64 {
				if strings.Contains(expr, of) {
					return value
				}
				return 1
			}
		}
	}
	body := func(status int, text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(text)) // to a client that may be gone
		}
	}
	const panics = `level="panic"`
	return []tampering{
		{name: "a query that does not parse", do: expr("Requests", "sum by (service_name (up)"), fails: []string{requests, demoShown},
			says: "/prometheus/api/v1/query_range answered 400 Bad Request: {\"error\":\"1:22: parse error"},
		{name: "a panel's metric under another name", do: named("demo_capacity"), fails: []string{requests}, says: `query B: no data: max(demo_capacity{job="demo"})`},
		{name: "a panel's metric of earlier times", do: old, fails: []string{requests}, says: "query A: no data since "},
		{name: "a panel of NaN", do: number("demo_capacity", math.NaN()), fails: []string{requests}, says: "query B: no data: 1 series without a number (NaN is none)"},
		{name: "a panel of infinities", do: number("demo_now_total", math.Inf(1)), fails: []string{rightNow}, says: "1 series without a number"},
		{name: "a table without rows", do: named("demo_now_total"), fails: []string{rightNow}, says: "query A: no data: sum(increase(demo_now_total[300s]))"},
		{name: "a panel of a data source that there is not", do: panel("Requests", func(p *dashboards.Panel) { p.Queries[0].Datasource = "mysql" }),
			fails: []string{requests}, says: `a data source of the type "mysql": the lab has no such data source`},
		{name: "a panel that shows nothing but exemplars", do: named("demo_duration_seconds_bucket"), fails: []string{durations}, says: "no data: sum by (le)"},
		{name: "no exemplars in a panel", do: func(f *fake) {
			f.answers = func(_ string, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "query_exemplars") || !strings.Contains(r.FormValue("query"), "increase(demo_duration") {
					return false
				}
				writeJSON(w, map[string]any{"status": "success", "data": []any{}})
				return true
			}
		}, fails: []string{durations}, says: "no exemplar since"},
		{name: "no metric for the panels and the variables", do: named("demo_requests_total"), fails: []string{serviceVar, namespaceVar, requests}, kubernetes: true, says: "no value since"},
		{name: "pods without a namespace", do: func(f *fake) {
			f.answers = func(_ string, w http.ResponseWriter, r *http.Request) bool {
				if !strings.HasSuffix(r.URL.Path, "/k8s_namespace_name/values") {
					return false
				}
				writeJSON(w, map[string]any{"status": "success", "data": []any{}})
				return true
			}
		}, fails: []string{namespaceVar}, kubernetes: true, says: "no value since"},
		{name: "a variable of another kind", do: func(f *fake) { f.dashboards[0].Variables[2].Query = "query_result(up)" },
			fails: []string{jobVar}, says: "verify only understands Prometheus' label_values"},
		{name: "a time range of another kind", do: func(f *fake) { f.dashboards[0].From = "yesterday" }, fails: []string{"panels: Demo"}, says: `its time range is "yesterday" to "now"`},

		{name: "no lines for a panel", do: answering("loki", "k8s_namespace_name=~", empty("streams")), fails: []string{linesPanel}, says: "no line since"},
		{name: "lines of earlier times for a panel", do: answering("loki", "k8s_namespace_name=~", func(w http.ResponseWriter, _ *http.Request) {
			writeData(w, "streams", []any{map[string]any{"stream": labels{}, "values": [][2]string{{"1700000000000000000", "request"}}}})
		}), fails: []string{linesPanel}, says: "no line since"},
		{name: "no lines to count", do: answering("loki", "sum by (level)", empty("matrix")), fails: []string{levelsPanel}, says: "query A: no data"},
		{name: "a refused query of a panel that may be empty", do: answering("loki", panics, body(http.StatusBadRequest, "parse error at line 1, col 3")),
			fails: []string{panicsPanel}, says: "/loki/api/v1/query_range answered 400 Bad Request: parse error at line 1, col 3"},
		{name: "no traces for a panel", do: answering("tempo", "{ kind = server }", body(http.StatusOK, `{"traces":[]}`)), fails: []string{tracesPanel, spansPanel}, says: "no trace since"},
		{name: "traces of earlier times for a panel", do: answering("tempo", "{ kind = server }", body(http.StatusOK, `{"traces":[{"traceID":"abc","startTimeUnixNano":"1700000000000000000"}]}`)),
			fails: []string{tracesPanel, spansPanel}, says: "no trace since"},
		{name: "no rates of spans", do: answering("tempo", "rate()", body(http.StatusOK, `{"series":[]}`)), fails: []string{spansPanel}, says: "no data: { kind = server } | rate()"},
		{name: "no edges", do: answering("mimir", "sum by (client, server)", empty("vector")), fails: []string{mapPanel, mapLink}, says: "no data: sum by (client, server) (rate(traces_service_graph_request_total[300s]))"},
		{name: "no data of the nodes", do: named("demo_node_load"), kubernetes: true, fails: []string{loadPanel}, says: "max by (node) (demo_node_load)"},
	}
}
