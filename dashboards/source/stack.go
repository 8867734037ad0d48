package main

import (
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// components are the programs of the stack by their jobs, as Alloy scrapes them.
const components = "alloy|loki|tempo|mimir"

// stack answers: can the other dashboards be trusted?
func stack() *page {
	p := newPage("lab-stack", "Stack",
		"Can the other dashboards be trusted? Whether Alloy, Loki, Tempo and Mimir take in everything and keep up.",
		fromMimir("component", "Component", "The programs that the first two rows show.",
			`label_values(up{job=~"`+components+`"}, job)`, components))
	summary(p)
	collector(p)
	logStore(p)
	traceStore(p)
	metricStore(p)
	return p
}

const ofComponent = `{job=~"$component"}`

func summary(p *page) {
	p.row("Can the other dashboards be trusted?").
		panel(8, low, number("Up", units.Short, about(
			"Whether each program answers when Alloy asks for its metrics.",
			"docs/runbooks/ has a page for each program. `lab status` and `lab logs NAME` show more."),
			series("{{job}}", "max by (job) (up"+ofComponent+")")).
			GraphMode(common.BigValueGraphModeNone).
			Mappings(upOrDown("up", "down")).
			Thresholds(colors("red", step{1, "green"}))).
		panel(4, low, number("Lost", units.Short, about(
			"Spans, log lines and samples that were lost within five minutes: a store refused them for good, or Alloy dropped them. Normally exactly 0.",
			"the alerts LogsLost, MetricsLost and HighTraceDropRate name the cause, and their pages in docs/runbooks/ say what to do. The store's own log says why."),
			series("lost", "sum(cause:spans_lost:increase5m) + sum(cause:log_records_lost:increase5m) + sum(cause:samples_lost:increase5m)")).
			Thresholds(colors("green", step{1e-9, "red"}))).
		panel(4, low, number("Queue filled", units.PercentUnit, about(
			"How full the fullest of Alloy's queues on disk is. It fills while a store is down; at 100 % Alloy tells senders to wait.",
			"the row Alloy shows which queue; bring that store back."),
			series("filled", "max(otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)")).
			Thresholds(colors("green", step{0.2, "orange"}, step{0.8, "red"}))).
		panel(4, low, number("Metrics behind", units.Seconds, about(
			"How far Tempo's generator is behind with writing what it counts of traces to Mimir. It writes every 15 s.",
			"Mimir is down or slow: see the row Mimir. What Alloy sends to Mimir waits in its queues: see “Queue filled”."),
			series("behind", "max(max by (job) (prometheus_remote_storage_highest_timestamp_in_seconds) - max by (job) (prometheus_remote_storage_queue_highest_sent_timestamp_seconds))")).
			Thresholds(colors("green", step{30, "orange"}, step{120, "red"}))).
		panel(4, low, number("Memory", units.BytesIEC, about(
			"Memory that the programs of the stack use together.",
			"“Memory of each” shows which of them grows."),
			series("memory", "sum(process_resident_memory_bytes"+ofComponent+")")).
			Thresholds(colors("blue")))
	p.row("Programs").line(normal,
		graph("CPU of each", units.Short, about(
			"Processors in use by each program: 1 is one processor, all the time.",
			"queries and compactions make short peaks. A program that stays high cannot keep up: see its row."),
			series("{{job}}", sumBy("job", rate("process_cpu_seconds_total"+ofComponent)))),
		graph("Memory of each", units.BytesIEC, about(
			"Resident memory of each program.",
			"Tempo and Mimir grow until they write a block, and then shrink. A program that only grows has too many series or traces: see its row."),
			series("{{job}}", "sum by (job) (process_resident_memory_bytes"+ofComponent+")")))
}

func collector(p *page) {
	received := func(what string) string { return "otelcol_receiver_accepted_" + what + "_total" }
	p.row("Alloy, the collector").line(normal,
		graph("Received", units.CountsPerSecond, about(
			"Spans, log lines and metric points per second that Alloy has accepted from the services.",
			"a line at 0 means that the services cannot reach Alloy: see their logs, `lab logs frontend`."),
			series("spans", sumBy("", rate(received("spans")))),
			series("log lines", sumBy("", rate(received("log_records")))),
			series("metric points", sumBy("", rate(received("metric_points"))))),
		graph("Refused", units.CountsPerSecond, about(
			"Attempts per second that Alloy told senders to repeat, because it was short of memory or a queue was full, over a minute. Normally 0. What is sent again is counted again.",
			"give Alloy more memory (memory_limiter in config/alloy/config.alloy), or find out why its queues do not empty. docs/runbooks/TelemetryRefused.md says more."),
			series("{{signal}}", "sum by (signal) (signal:telemetry_refused:increase1m) / 60")),
		graph("Waiting to be sent", units.BytesIEC, about(
			"What waits in Alloy's queues on disk.",
			"if a line rises and never falls, its store is down or too slow."),
			series("traces to Tempo", `sum(otelcol_exporter_queue_size{data_type="traces", component_id="otelcol.exporter.otlphttp.tempo"})`),
			series("logs to Loki", `sum(otelcol_exporter_queue_size{data_type="logs", component_id="otelcol.exporter.otlphttp.loki"})`),
			series("services' metrics to Mimir", `sum(otelcol_exporter_queue_size{data_type="metrics", component_id="otelcol.exporter.otlphttp.mimir"})`),
			series("the stack's metrics to Mimir", `sum(otelcol_exporter_queue_size{data_type="metrics", component_id="otelcol.exporter.otlphttp.scraped"})`)),
		graph("Sent", units.CountsPerSecond, about(
			"Spans, log lines and metric points per second that the stores have accepted from Alloy. In the long run they are as many as Alloy received, plus the points that it scrapes from the stack.",
			"compare with Received: what is missing waits in a queue."),
			series("spans", sumBy("", rate("otelcol_exporter_sent_spans_total"))),
			series("log lines", sumBy("", rate("otelcol_exporter_sent_log_records_total"))),
			series("metric points", sumBy("", rate("otelcol_exporter_sent_metric_points_total")))))
	p.line(normal,
		graph("Copy for another endpoint", units.CountsPerSecond, about(
			"Spans, log lines and metric points per second of the copy that `lab up --forward` sends to another endpoint, and what of it was given up: because the endpoint refused it or was away (send), or because its queue was full (enqueue).",
			"`lab logs alloy` has the endpoint's own words. The lab itself loses nothing. docs/runbooks/ForwardFailing.md says more."),
			series("spans", sumBy("", rate("lab_forward_copy_exporter_sent_spans_total"))),
			series("log lines", sumBy("", rate("lab_forward_copy_exporter_sent_log_records_total"))),
			series("metric points", sumBy("", rate("lab_forward_copy_exporter_sent_metric_points_total"))),
			series("{{signal}} given up: {{reason}}", sumBy("signal, reason", rate("lab_forward_copy_given_up_total")))).
			NoValue(noForward),
		limited(graph("Queue of the copy", units.PercentUnit, about(
			"How full the queue of that copy is, which is in Alloy's memory. At 100 % what comes is given up.",
			"the endpoint is away, or slower than what comes."),
			series("filled", "max(lab_forward_copy_exporter_queue_size / lab_forward_copy_exporter_queue_capacity)")).
			Max(1).
			NoValue(noForward),
			step{0.8, "red"}))
}

const noForward = "No copy is sent to another endpoint (lab up --forward)"

func logStore(p *page) {
	p.row("Loki, the logs").line(normal,
		graph("Lines", units.CountsPerSecond, about(
			"Log lines per second that Loki has received, and those that it has thrown away, over five minutes.",
			"Loki's log names the limit for each line that it throws away: see `lab logs loki`, and limits_config in config/loki/loki.yaml. docs/runbooks/LogsLost.md says more."),
			series("received", sumBy("", rate("loki_distributor_lines_received_total"))),
			series("thrown away", perSecond(`cause:log_records_lost:increase5m{cause="discarded by Loki"}`))),
		graph("Duration of Loki's answers, p99", units.Seconds, about(
			"99 % of the writes and queries took less.",
			"slow writes fill Alloy's queue; a slow query needs a narrower selector or a shorter range."),
			series("{{route}}", quantile("0.99", "route", `loki_request_duration_seconds_bucket{route=~"otlp_v1_logs|loki_api_v1_query.*"}`))),
		graph("Streams and chunks in memory", units.Short, about(
			"Active streams, and their chunks that are not on disk yet. A stream is a combination of labels, such as a service and a level.",
			"thousands of streams mean that a label has too many values."),
			series("streams", "sum(loki_ingester_memory_streams)"),
			series("chunks", "sum(loki_ingester_memory_chunks)"),
			series("chunks to be written", "sum(loki_ingester_flush_queue_length)")))
}

func traceStore(p *page) {
	p.row("Tempo, the traces").line(normal,
		graph("Spans", units.CountsPerSecond, about(
			"Spans per second that Tempo has received, and those that it or its generator of metrics has thrown away, over five minutes.",
			"a span that only the generator throws away is stored, but missing in the metrics: it came more than 10 minutes late. For the others see `lab logs tempo` and docs/runbooks/HighTraceDropRate.md."),
			series("received", sumBy("", rate("tempo_distributor_spans_received_total"))),
			series("thrown away", perSecond(`cause:spans_lost:increase5m{cause="discarded by Tempo"}`)),
			series("not in metrics", perSecond(`cause:span_metrics_lost:increase5m{cause="late or not UTF-8"}`))),
		graph("Duration of Tempo's answers, p99", units.Seconds, about(
			"99 % of the writes and queries took less.",
			"a slow search needs a condition on the service or the name; slow writes fill Alloy's queue."),
			series("{{route}}", quantile("0.99", "route", `tempo_request_duration_seconds_bucket{route=~"/tempopb.Pusher/PushBytesV2|/tempopb.MetricsGenerator/PushSpans|api_.*"}`))),
		graph("Traces and series in memory", units.Short, about(
			"Traces that still grow, series that the generator makes of spans, and blocks that wait to be written.",
			"if series only grow, a span's name or attribute has too many values, such as ids."),
			series("live traces", "sum(tempo_ingester_live_traces)"),
			series("generated series", "sum(tempo_metrics_generator_registry_active_series)"),
			series("blocks to be written", "sum(tempo_ingester_flush_queue_length)")))
}

func metricStore(p *page) {
	p.row("Mimir, the metrics").line(normal,
		graph("Samples", units.CountsPerSecond, about(
			"Samples per second that Mimir has received, and those that it has thrown away, over five minutes.",
			"Mimir's log names the limit: see `lab logs mimir`, and limits in config/mimir/mimir.yaml. docs/runbooks/MetricsLost.md says more."),
			series("received", sumBy("", rate("cortex_distributor_received_samples_total"))),
			series("thrown away", perSecond(`cause:samples_lost:increase5m{cause="discarded by Mimir"}`))),
		graph("Duration of Mimir's answers, p99", units.Seconds, about(
			"99 % of the writes and queries took less.",
			"slow writes delay the metrics; a slow query needs fewer series or a shorter range."),
			series("{{route}}", quantile("0.99", "route", `cortex_request_duration_seconds_bucket{route=~"api_v1_push|prometheus_api_v1_query.*"}`))),
		graph("Series and exemplars in memory", units.Short, about(
			"Active series, and exemplars that are kept for links to traces.",
			"if series only grow, a label has too many values. Each series costs about 10 kB of memory."),
			series("series", "sum(cortex_ingester_memory_series)"),
			series("exemplars", "sum(cortex_ingester_tsdb_exemplar_exemplars_in_storage)")))
}
