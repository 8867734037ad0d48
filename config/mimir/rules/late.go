package rules

// Late are the metrics of rules that have no series before the first loss, each
// with a metric of the same component that is there whenever the component works.
// That one must be there instead; without it a counter that was renamed would pass
// for one that has had nothing to count.
var Late = map[string]string{
	"otelcol_exporter_enqueue_failed_spans_total":       "otelcol_exporter_queue_size",
	"otelcol_exporter_enqueue_failed_log_records_total": "otelcol_exporter_queue_size",
	"otelcol_exporter_send_failed_spans_total":          "otelcol_exporter_sent_spans_total",
	"otelcol_exporter_send_failed_log_records_total":    "otelcol_exporter_sent_log_records_total",
	"loki_discarded_samples_total":                      "loki_distributor_lines_received_total",
}
