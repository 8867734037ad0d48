package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// overview answers: is it healthy?
func overview() *page {
	p := newPage("lab-overview", "Overview",
		"Is the lab healthy? What users get, how that compares with what was promised, and what went wrong last.",
		serviceVariable(), namespaceVariable())
	p.row("What users get").line(low, atAGlance()...)
	p.row("Requests, errors, duration").line(normal,
		graph("Requests by service", units.RequestsPerSecond, about(
			"Requests per second that each service answered.",
			"a line that falls to nothing means that nobody asks, or that nothing arrives: see whether the service runs, then the Stack dashboard."),
			series("{{service_name}}", sumBy("service_name", rate(requests(chosen))))).
			Links(linked("By route", "lab-performance")),
		limited(graph("Errors by service", units.PercentUnit, about(
			"Share of the requests that were answered with a 5xx. The dashed line is the objective, 0.5 %.",
			"open a trace of “Failing requests” below: its red span is where the failure began. A backend that fails makes the frontend fail with it."),
			series("{{service_name}}", errorRatio("service_name", chosen))),
			step{objective, "red"}),
		limited(graph("Duration by service", units.Seconds, about(
			"Half of the requests take less than p50, all but 5 % less than p95, all but 1 % less than p99. Each dot is one request and leads to its trace. The dashed line is the objective for p99, 0.5 s.",
			"click on a dot high up: its trace says which span takes the time. The Performance dashboard tells routes apart."),
			series("{{service_name}} p50", quantile("0.5", "service_name", durations(chosen))),
			series("{{service_name}} p95", quantile("0.95", "service_name", durations(chosen))),
			series("{{service_name}} p99", quantile("0.99", "service_name", durations(chosen)), exemplars)).
			Links(linked("By route", "lab-performance")),
			step{slow, "red"}))
	p.row("The objective, and who calls whom").line(high, burn(), serviceMap("Service map", about(
		"Which service calls which, with requests per second and mean duration, from the traces of the time range. The ring is the share of failing requests, as the caller counts them: a 404 is one, too.",
		"a red ring is where failures come from: click on it for the traces. An empty map means that traces do not arrive, or that Tempo's generator is behind: see the Stack dashboard.")))
	p.row("What went wrong").
		panel(8, normal, alerts()).
		panel(16, normal, spanList("Failing requests", about(
			"The latest requests that ended with an error, as each service saw them. A click on a span opens its trace.",
			"open one: the deepest red span is the cause, and its logs are a click away."),
			spans(`{ resource.service.name =~ "$service" && kind = server && status = error } | select(name, span.http.response.status_code, span.error.type) with (most_recent=true)`)).
			NoValue("No request has failed in this range")).
		panel(24, normal, logLines("Errors in the logs", about(
			"Log lines of level error, the newest first. A click on a line shows all of its fields, and a button that opens its trace.",
			"read the newest “request failed”: it has the cause. The trace shows what led to it."),
			lines(`{`+chosen+`, level="error"} | line_format `+"`{{.service_name}}: {{__line__}}{{with .http_request_method}} {{.}}{{end}}{{with .url_path}} {{.}}{{end}}{{with .http_response_status_code}} → {{.}}{{end}}{{with .exception_message}}: {{.}}{{end}}`")).
			NoValue("No errors in this range"))
	return p
}

// slow is the objective for the 99th percentile of the frontend, in seconds; the
// alert SlowP99 has the same.
const slow = 0.5

// atAGlance are the numbers at the top.
func atAGlance() []panelBuilder {
	recorded := func(name string) string { return "service:" + name + `{service_name="frontend"}` }
	return []panelBuilder{
		number("Requests", units.RequestsPerSecond, about(
			"Requests per second of users, that is, of the frontend.",
			"0 means that nobody asks, or that the frontend is away."),
			series("requests", sumBy("", rate(requests(ofFrontend))))),
		number("Errors, 5 min", units.PercentUnit, about(
			"Share of the users' requests of five minutes that failed with a 5xx; 0.5 % may. Orange: more than that. Red: so many that a month's allowance lasts two days.",
			"look at “Errors in the logs” and “Failing requests” below."),
			series("errors", recorded("http_server_errors:ratio_rate5m"))).
			Decimals(2).
			Thresholds(colors("green", step{objective, "orange"}, step{fastBurn * objective, "red"})),
		number("Error budget burn, 1 h", burnRate, about(
			"How many times faster than allowed the last hour spent the error budget: 1 is just right for a month, 14.4 spends it in two days and pages somebody.",
			"docs/runbooks/HighErrorRatio.md says what to look at first."),
			series("burn", recorded("http_server_errors:ratio_rate1h")+fmt.Sprintf(" / %v", objective))).
			Decimals(1).
			Thresholds(colors("green", step{1, "orange"}, step{fastBurn, "red"})),
		number("p99, 5 min", units.Seconds, about(
			"All but one in a hundred of the users' requests of five minutes took less. 0.5 s is the objective.",
			"see “Duration by service” below for when it began and the Performance dashboard for the route; docs/runbooks/SlowP99.md says more."),
			series("p99", recorded("http_server_request_duration_seconds:p99_5m"))).
			Thresholds(colors("green", step{slow / 2, "orange"}, step{slow, "red"})),
		number("Users", units.Short, about(
			"Users that are stored now. The lab's traffic deletes those that it creates.",
			"one that only grows means that something creates and never deletes."),
			series("users", "max(last_over_time(lab_users{"+inNamespace+"}[1m]))")).
			Thresholds(colors("blue")),
		number("Stack", units.Short, about(
			"Whether Alloy, Loki, Tempo and Mimir all answer when Alloy asks for their metrics.",
			"the Stack dashboard says which does not; telemetry waits in Alloy's queue on disk meanwhile."),
			series("stack", `min(up{job=~"`+components+`"})`)).
			GraphMode(common.BigValueGraphModeNone).
			Mappings(upOrDown("all up", "not all up")).
			Thresholds(colors("red", step{1, "green"})).
			Links(linked("Which", "lab-stack")),
	}
}

// burnRate is the unit of a burn rate.
const burnRate = "suffix:×"

// Burn rates that alert, of chapter 5 of Google's SRE workbook.
const (
	fastBurn = 14.4
	slowBurn = 6
)

// burn compares the windows that the alerts use: a long one says that it matters,
// a short one that it goes on.
func burn() panelBuilder {
	var queries []query
	for _, w := range []struct{ window, legend string }{{"5m", "5 min"}, {"30m", "30 min"}, {"1h", "1 h"}, {"6h", "6 h"}} {
		queries = append(queries, series(w.legend,
			fmt.Sprintf(`service:http_server_errors:ratio_rate%s{service_name="frontend"} / %v`, w.window, objective)))
	}
	return limited(graph("Error budget burn rate", burnRate, about(
		"How many times faster than allowed users' requests fail; 99.5 % are to succeed. At 1 a month's budget lasts a month. Somebody is paged when both 5 min and 1 h are above 14.4, and a ticket is written when both 30 min and 6 h are above 6.",
		"docs/runbooks/HighErrorRatio.md says what to look at first. A short window that is low again says that it is over."),
		queries...).
		FillOpacity(0),
		step{1, "green"}, step{slowBurn, "orange"}, step{fastBurn, "red"})
}

// alerts are those that fire now. Those of severity none, such as Watchdog, always
// do.
func alerts() panelBuilder {
	return list("Alerts", about(
		"Alerts that fire now, evaluated by Mimir's ruler.",
		"docs/runbooks/ has a page of each alert's name."),
		mimir, cells(`max by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"})`)).
		WithTransformation(columns([]string{"Time", "Value"}, map[string]string{"alertname": "Alert", "severity": "Severity"}, "alertname", "severity")).
		NoValue("No alert fires")
}
