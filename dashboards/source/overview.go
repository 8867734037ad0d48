package main

import (
	"fmt"

	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/units"

	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// overview answers: is it healthy?
func overview() *page {
	p := newPage("lab-overview", "Overview",
		"Is the lab healthy? What users get, how that compares with the objective, and what went wrong last.",
		serviceVariable(), namespaceVariable())
	p.row("What users get").line(low, atAGlance()...)
	p.row("Requests, errors, duration").line(normal,
		graph("Requests by service", units.RequestsPerSecond, about(
			"Requests per second that each service answered: HTTP requests, or else spans that answer a call or take a message, or else internal spans.",
			"a line that falls to 0 means that there are no requests, or that no metrics arrive: check whether the service runs, then the Stack dashboard."),
			series("{{service_name}}", perSecondOf(byService, usualWindow, ofChosen, false))).
			NoValue(nothingAnswered).
			Links(linked("By route", "lab-performance")),
		limited(graph("Errors by service", units.PercentUnit, about(
			"Share of the requests that were answered with a 5xx, or of the spans with the status Error. The dashed line is the objective, 0.5 %.",
			"open a trace of “Failing requests” below: the deepest red span is where the failure began. When the backend fails, the frontend fails with it."),
			series("{{service_name}}", failures(byService, usualWindow, ofChosen))).
			NoValue(nothingAnswered),
			step{objective, "red"}),
		limited(graph("Duration by service", units.Seconds, about(
			"Half of the requests take less than p50, 95 % less than p95, 99 % less than p99. Each dot is one request and leads to its trace. The dashed line is the objective for p99, 0.5 s.",
			"click on a high dot: its trace shows which span takes the time. The Performance dashboard shows each route."),
			series("{{service_name}} p50", took("0.5", byService, usualWindow, ofChosen)),
			series("{{service_name}} p95", took("0.95", byService, usualWindow, ofChosen)),
			series("{{service_name}} p99", took("0.99", byService, usualWindow, ofChosen), exemplars)).
			NoValue(nothingAnswered).
			Links(linked("By route", "lab-performance")),
			step{slow, "red"}))
	p.row("The objective, and who calls whom").line(high, burn(), serviceMap("Service map", about(
		"Which service calls which, with requests per second and mean duration, from the traces of the time range. The ring is the share of failed requests, as the caller counts them; to the caller, a 404 is a failure, too.",
		"failures come from the service with a red ring: click on it for the traces. An empty map means that traces do not arrive, or that Tempo's generator is behind: see the Stack dashboard.")))
	p.row("What went wrong").
		panel(8, normal, alerts()).
		panel(16, normal, spanList("Failing requests", about(
			"The latest requests that failed, as each service saw them. A click on a span opens its trace.",
			"open one: the deepest red span is the cause, and a link leads to its log lines."),
			spans(`{ resource.service.name =~ "$service" && (kind = server || kind = consumer || nestedSetParent < 0) && status = error } | select(name, span.http.response.status_code, span.error.type) with (most_recent=true)`)).
			NoValue("No request has failed in this range")).
		panel(24, normal, logLines("Errors in the logs", about(
			"Log lines of level error, the newest first. A click on a line shows all of its fields, and a button that opens its trace.",
			"read the newest “request failed”: it names the cause. Its trace shows what led to it."),
			lines(`{`+chosen+`, level="error"} | line_format `+"`{{.service_name}}: {{__line__}}{{with .http_request_method}} {{.}}{{end}}{{with .url_path}} {{.}}{{end}}{{with .http_response_status_code}} → {{.}}{{end}}{{with .exception_message}}: {{.}}{{end}}`")).
			NoValue("No errors in this range"))
	return p
}

// nothingAnswered is what panels about requests say of services that answer none.
const nothingAnswered = dashboards.DoesNotApply + "the chosen services have sent no HTTP metrics and no spans"

// slow is the objective for the frontend's 99th percentile, in seconds, as in the alert
// SlowP99.
const slow = 0.5

// atAGlance are the numbers at the top.
func atAGlance() []panelBuilder {
	const frontend = `service_name="frontend", service_name=~"$service"`
	recorded := func(name string) string { return "service:" + name + `{` + frontend + `}` }
	every := "sum(" + perSecondOf(byService, "5m", ofChosen, false) + ")"
	failed := "((sum(" + perSecondOf(byService, "5m", ofChosen, true) + ") or 0 * " + every + ") / (" + every + " > 0))"
	return []panelBuilder{
		number("Requests", units.RequestsPerSecond, about(
			"Users' requests per second, that is, the frontend's; without the frontend among the chosen services, what these answer.",
			"0 means that there are no requests. Without any value the frontend is gone: docs/runbooks/FrontendDown.md."),
			series("requests", usersOr(sumBy("", rate(requests(chosen+`, service_name="frontend"`))),
				"sum("+perSecondOf(byService, usualWindow, ofChosen, false)+")"))).
			NoValue(nothingAnswered),
		number("Errors, 5 min", units.PercentUnit, about(
			"Share of the users' requests of the last five minutes that failed with a 5xx, or of what the chosen services answered; the objective allows 0.5 %. Orange: more than that. Red: so many that a month's error budget lasts two days.",
			"look at “Errors in the logs” and “Failing requests” below."),
			series("errors", usersOr("max("+recorded("http_server_errors:ratio_rate5m")+")", failed))).
			NoValue(nothingAnswered).
			Decimals(2).
			Thresholds(colors("green", step{objective, "orange"}, step{fastBurn * objective, "red"})),
		number("Error budget burn, 1 h", burnRate, about(
			"How many times faster than allowed the last hour used up the error budget. At 1 the budget lasts a month; at 14.4 it lasts two days, and an alert pages.",
			"docs/runbooks/HighErrorRatio.md says what to look at first."),
			series("burn", "service:http_server_errors:ratio_rate1h{"+`service_name="frontend"`+"}"+fmt.Sprintf(" / %v", objective))).
			Decimals(1).
			Thresholds(colors("green", step{1, "orange"}, step{fastBurn, "red"})),
		number("p99, 5 min", units.Seconds, about(
			"99 % of the users' requests of the last five minutes took less; without the frontend, the slowest of the chosen services counts. The objective is 0.5 s.",
			"“Duration by service” below shows when it began, and the Performance dashboard on which route. docs/runbooks/SlowP99.md says more."),
			series("p99", usersOr("max("+recorded("http_server_request_duration_seconds:p99_5m")+")", "max("+took("0.99", byService, "5m", ofChosen)+")"))).
			NoValue(nothingAnswered).
			Thresholds(colors("green", step{slow / 2, "orange"}, step{slow, "red"})),
		number("Users", units.Short, about(
			"Number of users in the database. The lab's traffic deletes the users that it creates.",
			"if it only grows, something creates users and never deletes them."),
			series("users", "max(last_over_time(lab_users{"+inNamespace+"}[1m]))")).
			Thresholds(colors("blue")),
		number("Stack", units.Short, about(
			"Whether Alloy, Loki, Tempo and Mimir all answer when Alloy asks for their metrics.",
			"the Stack dashboard shows which does not. Logs and traces wait in Alloy's queue on disk meanwhile."),
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

// burn compares the windows of the alerts: a long one shows that failures matter, a short
// one that they go on.
func burn() panelBuilder {
	var queries []query
	for _, w := range []struct{ window, legend string }{{"5m", "5 min"}, {"30m", "30 min"}, {"1h", "1 h"}, {"6h", "6 h"}} {
		queries = append(queries, series(w.legend,
			fmt.Sprintf(`service:http_server_errors:ratio_rate%s{service_name="frontend"} / %v`, w.window, objective)))
	}
	return limited(graph("Error budget burn rate", burnRate, about(
		"How many times faster than allowed users' requests fail; 99.5 % are to succeed. At 1 a month's budget lasts a month. HighErrorRatio pages when both 5 min and 1 h are above 14.4, and is a ticket when both 30 min and 6 h are above 6.",
		"docs/runbooks/HighErrorRatio.md says what to look at first. When a short window is low again, it is over."),
		queries...).
		FillOpacity(0),
		step{1, "green"}, step{slowBurn, "orange"}, step{fastBurn, "red"})
}

// alerts lists the alerts that fire now, without those of severity none: these, such as
// Watchdog, always fire.
func alerts() panelBuilder {
	return list("Alerts", about(
		"Alerts that fire now, evaluated by Mimir's ruler.",
		"docs/runbooks/ has a page for each alert, with the alert's name."),
		mimir, cells(`max by (alertname, severity) (ALERTS{alertstate="firing", severity!="none"})`)).
		WithTransformation(columns([]string{"Time", "Value"}, map[string]string{"alertname": "Alert", "severity": "Severity"}, "alertname", "severity")).
		NoValue("No alert fires")
}
