package copies

import (
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// One copy's counters are read, and no other exporter's.
func TestRead(t *testing.T) {
	const metrics = `# HELP otelcol_exporter_sent_spans_total Number of spans successfully sent to destination.
otelcol_exporter_sent_spans_total{component_id="otelcol.exporter.otlphttp.tempo",component_path="/",exporter="a"} 900
otelcol_exporter_sent_spans_total{component_id="otelcol.exporter.otlphttp.forward",component_path="/forward.copy.lab",exporter="a"} 1.2e+06
otelcol_exporter_sent_metric_points_total{component_id="otelcol.exporter.otlphttp.forward",component_path="/forward.copy.lab"} 40
otelcol_exporter_send_failed_log_records_total{component_id="otelcol.exporter.otlphttp.forward",component_path="/forward.copy.lab"} 3
otelcol_exporter_enqueue_failed_log_records_total{component_id="otelcol.exporter.otlphttp.forward",component_path="/forward.copy.lab"} 4
otelcol_exporter_queue_size{component_path="/forward.copy.lab",data_type="traces"} 100
otelcol_exporter_queue_size{component_path="/forward.copy.lab",data_type="logs"} 20
otelcol_exporter_queue_capacity{component_path="/forward.copy.lab",data_type="traces"} 8.388608e+06
otelcol_exporter_queue_capacity{component_path="/forward.copy.lab",data_type="logs"} 8.388608e+06
otelcol_exporter_enqueue_failed_spans_total{component_path="/inspector.copy.lab"} 5
`
	c, made, err := Read(strings.NewReader(metrics), Forward)
	want := target.Copy{
		Sent: target.Items{Spans: 1_200_000, MetricPoints: 40}, GivenUp: target.Items{LogRecords: 7}, QueueBytes: 120, QueueCapacityBytes: 8 << 20,
	}
	if err != nil || !made || c != want {
		t.Errorf("%+v, %v, %v; want %+v", c, made, err, want)
	}
	if c, made, err = Read(strings.NewReader(metrics), Inspector); err != nil || !made || c.GivenUp.Spans != 5 {
		t.Errorf("the inspector's %+v, %v, %v", c, made, err)
	}
	if _, made, err = Read(strings.NewReader("otelcol_exporter_sent_spans_total{component_path=\"/\"} 1\n"), Forward); err != nil || made {
		t.Errorf("without a copy: %v, %v", made, err)
	}
	if _, _, err = Read(strings.NewReader("otelcol_exporter_sent_spans_total{component_path=\"/forward.copy.lab\"} many\n"), Forward); err == nil {
		t.Error("what is no number is no error")
	}
}
