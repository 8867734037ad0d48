package rules

// MayBeMissing are the metrics of rules that a healthy lab may not have, each with a
// metric that it has then. Most are counters of losses, which come into being with the
// first loss; instead of such a counter a metric of the same component must be there,
// or else a counter that was renamed would pass for one that has had nothing to count.
// The others are measured in a cluster only.
var MayBeMissing = map[string]string{
	"otelcol_exporter_send_failed_spans_total":                  "otelcol_exporter_sent_spans_total",
	"otelcol_exporter_send_failed_log_records_total":            "otelcol_exporter_sent_log_records_total",
	"otelcol_processor_filter_spans_filtered_total":             "otelcol_receiver_accepted_spans_total",
	"otelcol_processor_filter_logs_filtered_total":              "otelcol_receiver_accepted_log_records_total",
	"otelcol_exporter_send_failed_metric_points_total":          "otelcol_exporter_sent_metric_points_total",
	"otelcol_processor_filter_datapoints_filtered_total":        "otelcol_receiver_accepted_metric_points_total",
	"otelcol_deltatocumulative_datapoints_total":                "otelcol_receiver_accepted_metric_points_total",
	"loki_discarded_samples_total":                              "loki_distributor_lines_received_total",
	"cortex_discarded_samples_total":                            "cortex_distributor_received_samples_total",
	"prometheus_remote_storage_samples_dropped_total":           "prometheus_remote_storage_samples_total",
	"otelcol_exporter_enqueue_failed_metric_points_total":       "otelcol_exporter_queue_size",
	"tempo_metrics_generator_registry_collections_failed_total": "tempo_ingester_failed_flushes_total",
	"tempo_distributor_spans_received_total":                    "tempo_ingester_blocks_flushed_total",
	"lab_forward_copy_given_up_total":                           "up",

	"kubelet_volume_stats_available_bytes": "up",
	"kubelet_volume_stats_capacity_bytes":  "up",
	"container_fs_usage_bytes":             "up",
	"container_fs_limit_bytes":             "up",
}
