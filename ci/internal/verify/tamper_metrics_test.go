package verify

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints/labtest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// hide lets series not be there.
func hide(name, key, value string) func(*fake) {
	return func(f *fake) { f.hidden = series1(name, key, value) }
}

func series1(name, key, value string) func(labels) bool {
	return func(l labels) bool { return l["__name__"] == name && l[key] == value }
}

// uncounted lets counters not count.
func uncounted(is func(labels) bool) func(*fake) {
	return func(f *fake) {
		f.samples = func(_ exchange, l labels, by float64) float64 {
			if is(l) {
				return 0
			}
			return by
		}
	}
}

func metricTamperings() []tampering {
	var out []tampering
	also := map[string][]string{
		"http_server_request_duration_seconds_count of the frontend": {frontCount, freshMetric},
		"http_server_request_duration_seconds_count of the backend":  {backCount},
	}
	for _, m := range ownMetrics {
		check := m.metric + " of the " + m.service
		out = append(out, tampering{name: "no " + check, do: hide(m.metric, "service_name", m.service),
			fails: names([]string{"metrics: " + check}, also[check]), says: "Mimir has no sample of " + m.metric})
	}
	spanRoute := func(l labels) bool {
		return l["__name__"] == "traces_spanmetrics_calls_total" && l["service"] == "frontend" && l["http_route"] == "/api/users/{id}"
	}
	out = append(out,
		tampering{name: "a metric that is not exported any more", do: func(f *fake) {
			f.frozen = series1("go_goroutine_count", "service_name", "frontend")
		}, fails: []string{"metrics: go_goroutine_count of the frontend"}, says: "no sample"},
		tampering{name: "a metric that is 0", do: func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(labels{"__name__": "lab_users_created_total", "service_name": "backend"}, 0, 0)
		}, fails: []string{"metrics: lab_users_created_total of the backend"}, says: "it is 0"},
		tampering{name: "a wrong number of users", do: func(f *fake) { f.users = func() float64 { return 6 } },
			fails: []string{userGauge}, says: "the metric says 6 users, /api/stats says 5"},
		tampering{name: "no metric of users, and no users", do: func(f *fake) {
			hide("lab_users", "service_name", "backend")(f)
			f.reply = func(x exchange, a *labtest.Answer) {
				if x.from == "other" && x.path == "/api/stats" {
					a.Body = []byte(`{"users":0}`)
				}
			}
		}, fails: []string{userGauge}, says: "no sample of lab_users"},

		tampering{name: "no edge between the services", do: uncounted(series1("traces_service_graph_request_total", "client", "frontend")), fails: []string{edge}, says: "no such series in Mimir"},
		tampering{name: "no edge to the database", do: uncounted(series1("traces_service_graph_request_total", "connection_type", "database")), fails: []string{edgeSQL}, says: "no such series in Mimir"},
		tampering{name: "an edge of earlier times", do: func(f *fake) {
			l := labels{"__name__": "traces_service_graph_request_total", "client": "frontend", "server": "backend"}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(l, 7, time.Minute)
			uncounted(series1(l["__name__"], "client", "frontend"))(f)
		}, fails: []string{edge}, says: "is still 7"},
		tampering{name: "span metrics without one route", do: uncounted(func(l labels) bool {
			return l["__name__"] == "traces_spanmetrics_calls_total" && l["http_route"] == "/users/{id}"
		}), fails: []string{byRoute}, says: "/users/{id}"},
		tampering{name: "span metrics without routes", do: uncounted(func(l labels) bool { return l["__name__"] == "traces_spanmetrics_calls_total" }),
			fails: []string{byRoute, freshSpans, traceToRate, traceToErrors}, says: "/users"},
		tampering{name: "span metrics that do not count", do: func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(labels{"__name__": "traces_spanmetrics_calls_total", "service": "frontend", "span_kind": "SPAN_KIND_SERVER", "http_route": "/api/users/{id}"}, 7, time.Minute)
			uncounted(spanRoute)(f)
		}, fails: []string{freshSpans}, says: "is still 7"},
		tampering{name: "a metric that does not count", do: func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(labels{"__name__": "http_server_request_duration_seconds_count", "service_name": "frontend", "http_route": "/api/users/{id}"}, 7, time.Minute)
			uncounted(func(l labels) bool { return l["service_name"] == "frontend" && l["http_route"] == "/api/users/{id}" })(f)
		}, fails: []string{freshMetric, frontCount}, says: "is still 7"},
	)
	for _, jobs := range [][]string{{"alloy", "tempo"}, {"loki", "mimir"}} { // each with others that are up
		isUp := func(l labels) bool { return l["__name__"] == "up" && slices.Contains(jobs, l["job"]) }
		both := strings.Join(jobs, " and ")
		fails := []string{upOf(jobs[0]), upOf(jobs[1])}
		out = append(out,
			tampering{name: "up of " + both + " is 0", do: func(f *fake) {
				for _, job := range jobs {
					f.change("up", job, func(float64) float64 { return 0 })
				}
			}, fails: fails, says: "cannot scrape " + jobs[0]},
			tampering{name: "no up of " + both, do: func(f *fake) { f.hidden = isUp }, fails: fails, says: "has reached Mimir"},
			tampering{name: "no new up of " + both, do: func(f *fake) { f.frozen = isUp }, fails: fails, says: "no sample of " + jobs[0]},
		)
	}
	return out
}

func exemplarTamperings() []tampering {
	const sql = "db_client_operation_duration_seconds_bucket"
	change := func(name, key, value string, change func(query.Exemplar) []query.Exemplar) func(*fake) {
		return func(f *fake) {
			f.exemplars = func(_ exchange, found []query.Exemplar) (out []query.Exemplar) {
				for _, e := range found {
					if series1(name, key, value)(e.Series) {
						out = append(out, change(e)...)
					} else {
						out = append(out, e)
					}
				}
				return out
			}
		}
	}
	none := func(query.Exemplar) []query.Exemplar { return nil }
	unnamed := func(e query.Exemplar) []query.Exemplar {
		e.TraceID = ""
		return []query.Exemplar{e}
	}
	nowhere := func(e query.Exemplar) []query.Exemplar {
		dead := e
		dead.TraceID = strings.Repeat("d", 32)
		return []query.Exemplar{e, dead}
	}
	const http, spans = "http_server_request_duration_seconds_bucket", "traces_spanmetrics_latency_bucket"
	return []tampering{
		{name: "no exemplars", do: func(f *fake) { f.exemplars = func(exchange, []query.Exemplar) []query.Exemplar { return nil } },
			fails: names(exemplarChecks, []string{freshMark, freshSpans, durations, exemplarToTrace}), says: "Mimir has no exemplar"},
		{name: "no exemplars of the frontend", do: change(http, "service_name", "frontend", none), fails: []string{exFrontend, freshMark, exemplarToTrace}, says: "Mimir has no exemplar"},
		{name: "no exemplars of the backend", do: change(http, "service_name", "backend", none), fails: []string{exBackend, exemplarToTrace}, says: "Mimir has no exemplar"},
		{name: "no exemplars of statements", do: change(sql, "service_name", "backend", none), fails: []string{exSQL, exemplarToTrace}, says: "Mimir has no exemplar"},
		{name: "exemplars of statements that lead nowhere", do: change(sql, "service_name", "backend", nowhere), fails: []string{exSQL}, says: "does not have: " + strings.Repeat("d", 32)},
		{name: "exemplars of the frontend that lead nowhere", do: change(http, "service_name", "frontend", nowhere), fails: []string{exFrontend}, says: "does not have"},
		{name: "exemplars with another name for the trace", do: change(spans, "service", "backend", unnamed), fails: []string{exSpans}, says: "without the label trace_id"},
		{name: "exemplars of the frontend without a trace", do: change(http, "service_name", "frontend", unnamed), fails: []string{exFrontend, freshMark, exemplarToTrace}, says: "without the label trace_id"},
	}
}

// lossCounters are the counters of each loss, by their whole names.
var lossCounters = map[string][]string{
	"Alloy refused spans":                       {"otelcol_receiver_refused_spans_total", "otelcol_receiver_failed_spans_total"},
	"Alloy refused log records":                 {"otelcol_receiver_refused_log_records_total", "otelcol_receiver_failed_log_records_total"},
	"Alloy refused metric points":               {"otelcol_receiver_refused_metric_points_total"},
	"Alloy filtered out items":                  {"otelcol_processor_filter_spans_filtered_total", "otelcol_processor_filter_logs_filtered_total"},
	"Alloy could not convert delta points":      {"otelcol_deltatocumulative_datapoints_total"},
	"Alloy gave up on spans":                    {"otelcol_exporter_send_failed_spans_total"},
	"Alloy gave up on log records":              {"otelcol_exporter_send_failed_log_records_total"},
	"Alloy gave up on metric points":            {"otelcol_exporter_send_failed_metric_points_total"},
	"Alloy's queue was full":                    {"otelcol_exporter_enqueue_failed_spans_total", "otelcol_exporter_enqueue_failed_log_records_total"},
	"Loki discarded lines":                      {"loki_discarded_samples_total", "loki_ingester_wal_discarded_samples_total"},
	"Loki discarded bytes":                      {"loki_discarded_bytes_total"},
	"Loki cut lines":                            {"loki_mutated_samples_total"},
	"Tempo refused spans":                       {"tempo_receiver_refused_spans"},
	"Tempo discarded spans":                     {"tempo_discarded_spans_total"},
	"Tempo cut attributes":                      {"tempo_distributor_attributes_truncated_total"},
	"Tempo did not reach its generator":         {"tempo_distributor_metrics_generator_pushes_failures_total"},
	"Tempo's generator discarded spans":         {"tempo_metrics_generator_spans_discarded_total"},
	"Tempo's generator had too many series":     {"tempo_metrics_generator_registry_series_limited_total"},
	"Tempo's generator failed to write samples": {"prometheus_remote_storage_samples_failed_total", "prometheus_remote_storage_samples_dropped_total"},
	"Mimir discarded samples":                   {"cortex_discarded_samples_total"},
	"Mimir discarded requests":                  {"cortex_discarded_requests_total"},
	"Mimir discarded exemplars":                 {"cortex_discarded_exemplars_total"},
	"Mimir's ruler failed to evaluate rules":    {"cortex_prometheus_rule_evaluation_failures_total"},
	"Mimir's ruler failed to query or write":    {"cortex_ruler_queries_failed_total", "cortex_ruler_write_requests_failed_total"},
}

func lossTamperings() []tampering {
	var out []tampering
	during := func(do func(f *fake)) func(*fake) {
		return func(f *fake) {
			f.seen = func(x exchange) {
				if x.n == 7 {
					do(f)
				}
			}
		}
	}
	// Some at a time, each beside others that are whole: every third of one kind.
	for part := range 3 {
		var some []loss
		for i := part; i < len(losses); i += 3 {
			some = append(some, losses[i])
		}
		for nth := range 2 {
			rising := tampering{name: fmt.Sprintf("losses %d, counter %d", part+1, nth+1), says: "; the log of "}
			var counters []labels
			for _, l := range some {
				if names := lossCounters[l.name]; nth < len(names) {
					counters = append(counters, labels{"__name__": names[nth], "job": l.job, "error": "limit"})
					rising.fails = append(rising.fails, "nothing lost: "+l.name)
				}
			}
			rising.do = during(func(f *fake) {
				f.mu.Lock()
				defer f.mu.Unlock()
				for _, c := range counters { // each a series that comes into being with the first loss
					f.add(c, 2)
				}
			})
			if len(counters) > 0 {
				out = append(out, rising)
			}
		}
		out = append(out, untold(part+1, some))
	}
	return append(out,
		tampering{name: "Loki forgets what it discarded", do: during(func(f *fake) { f.change("loki_discarded_samples_total", "loki", func(float64) float64 { return 0 }) }),
			fails: []string{"nothing lost: Loki discarded lines"}, says: "loki was started again after "},
		tampering{name: "Alloy is not scraped any more", do: func(f *fake) {
			f.frozen = func(l labels) bool { return l["job"] == "alloy" && l["__name__"] != "up" }
		}, fails: append(lossesOf("alloy"), ruleMetrics), says: "alloy is not scraped"},
		tampering{name: "items are stuck in a queue", do: during(func(f *fake) {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.set(queueOf("loki"), 12_001, 0)
		}), fails: []string{emptyQueues}, says: "12001 in otelcol.exporter.otlphttp.loki; the log of alloy"},
	)
}

// untold hides the companions of these losses. Other losses with the same companions
// must fail, too.
func untold(part int, some []loss) tampering {
	out := tampering{name: fmt.Sprintf("losses %d, nothing tells that they are counted", part), says: "counts under another name"}
	var present []func(labels) bool
	for _, l := range some {
		present = append(present, l.isPresent())
	}
	hidden := func(l labels) bool {
		return slices.ContainsFunc(present, func(is func(labels) bool) bool { return is(l) })
	}
	out.do = func(f *fake) { f.hidden = hidden }
	for _, l := range losses {
		if is := l.isPresent(); !slices.ContainsFunc(atStart(l.job), func(s labels) bool { return is(s) && !hidden(s) }) {
			out.fails = append(out.fails, "nothing lost: "+l.name)
		}
	}
	if hidden(labels{"__name__": "otelcol_exporter_sent_spans_total", "job": "alloy"}) {
		out.fails = append(out.fails, ruleMetrics) // it stands for one that rules select
	}
	if hidden(queueOf("loki")) {
		out.fails = append(out.fails, emptyQueues)
	}
	return out
}

// isPresent tells whether a series is one that must be there for the loss to mean
// anything.
func (l loss) isPresent() func(labels) bool {
	is, err := selects("", strings.Trim(l.present(), "{}"))
	if err != nil {
		panic(err) // a typo in the table of losses
	}
	return is
}

// atStart are the series that a component has as soon as it works.
func atStart(job string) (all []labels) {
	for name := range strings.FieldsSeq(stack[job]) {
		all = append(all, labels{"__name__": name, "job": job})
	}
	if job == "alloy" {
		all = append(all, queueOf("loki"), queueOf("tempo"))
	}
	return all
}

func upOf(job string) string { return fmt.Sprintf("stack: up{job=%q}", job) }

func lossesOf(job string) (out []string) {
	for _, l := range losses {
		if l.job == job {
			out = append(out, "nothing lost: "+l.name)
		}
	}
	if job == "alloy" {
		out = append(out, emptyQueues)
	}
	return out
}

// partTamperings let a part of the stack be ready and answer otherwise.
func partTamperings() []tampering {
	losing := slices.Concat(lossesOf("alloy"), lossesOf("loki"), lossesOf("tempo"), lossesOf("mimir"))
	var metrics, ups []string
	for _, m := range ownMetrics {
		metrics = append(metrics, "metrics: "+m.metric+" of the "+m.service)
	}
	for _, job := range stackJobs {
		ups = append(ups, upOf(job))
	}
	fails := map[string][]string{
		"loki": names([]string{frontLine, backLine, frontLines, backLines, auditTrail, freshLine, keptLogs, keptAudit}, panelsOfLoki, linksOfTheLines),
		"tempo": names([]string{joined, conventing, frontLine, backLine, slowQuery, failQuery, stored, freshTrace, freshSearch,
			tracesPanel, spansPanel, keptTraces, logToTrace, exemplarToTrace}, exemplarChecks),
		"mimir": names(probeChecks, []string{frontCount, backCount, userGauge, edge, edgeSQL, byRoute, exemplarToTrace, mapLink, keptMetrics},
			metrics, ups, losing, exemplarChecks, panelsOfMimir, ruleChecks),
		"grafana": names([]string{grafanaHealth, demoShown}, grafanaSources),
	}
	var out []tampering
	for _, part := range []string{"mimir", "tempo", "loki", "grafana"} {
		for _, c := range []struct {
			how, says string
			answer    http.HandlerFunc
		}{
			{"hangs", "", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }},
			{"answers 500", "answered 500 Internal Server Error: too many outstanding requests", func(w http.ResponseWriter, _ *http.Request) {
				http.Error(w, "too many outstanding requests", http.StatusInternalServerError)
			}},
			{"answers with a page", "unexpected answer", func(w http.ResponseWriter, _ *http.Request) {
				fmt.Fprint(w, "<html><title>Sign in</title></html>")
			}},
		} {
			out = append(out, tampering{name: part + " " + c.how, fails: fails[part], says: c.says, do: func(f *fake) {
				f.answers = func(asked string, w http.ResponseWriter, r *http.Request) bool {
					if asked != part || strings.HasSuffix(r.URL.Path, "/ready") {
						return false
					}
					c.answer(w, r)
					return true
				}
			}})
		}
	}
	return out
}
