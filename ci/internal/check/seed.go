package check

import (
	"bytes"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"time"

	logspb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	metricspb "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	tracepb "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonv1 "go.opentelemetry.io/proto/otlp/common/v1"
	logsv1 "go.opentelemetry.io/proto/otlp/logs/v1"
	metricsv1 "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcev1 "go.opentelemetry.io/proto/otlp/resource/v1"
	tracev1 "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// seed sends the case's own telemetry. It returns false after a failure.
func (r *runner) seed(ctx context.Context) bool {
	began, s := time.Now(), r.c.Seed
	c := report.Check{
		Name: "seed", Status: report.Pass,
		Measured: fmt.Sprintf("%d services' traces, %d log lines, %d metrics sent", len(s.Traces), len(s.Logs), len(s.Metrics)),
	}
	for _, m := range []struct {
		path    string
		message proto.Message
		any     bool
	}{
		{"/v1/traces", seedTraces(s.Traces, r.scope.RunID, began), len(s.Traces) > 0},
		{"/v1/logs", seedLogs(s.Logs, r.scope.RunID, began), len(s.Logs) > 0},
		{"/v1/metrics", seedMetrics(s.Metrics, r.scope.RunID, began), len(s.Metrics) > 0},
	} {
		if !m.any {
			continue
		}
		if err := post(ctx, r.At.Client(0), r.At.OTLPHTTP+m.path, m.message); err != nil {
			c.Status, c.Measured, c.Expected = report.Fail, err.Error(), "the lab takes it"
			break
		}
	}
	if ctx.Err() != nil {
		return false
	}
	c.Duration = time.Since(began)
	r.out.add(r.c.At, c)
	return !c.Failed()
}

// post sends OTLP over HTTP.
func post(ctx context.Context, client *http.Client, url string, message proto.Message) error {
	body, err := proto.Marshal(message)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("sending the seed: %w", err)
	}
	defer resp.Body.Close()
	if said, _ := io.ReadAll(io.LimitReader(resp.Body, 200)); resp.StatusCode != http.StatusOK {
		return fmt.Errorf("sending the seed: %s answered %s: %s", url, resp.Status, said)
	}
	return nil
}

func keyValue(key, value string) *commonv1.KeyValue {
	return &commonv1.KeyValue{Key: key, Value: &commonv1.AnyValue{Value: &commonv1.AnyValue_StringValue{StringValue: value}}}
}

func resource(service, run string) *resourcev1.Resource {
	return &resourcev1.Resource{Attributes: []*commonv1.KeyValue{keyValue("service.name", service), keyValue(runid.Attribute, run)}}
}

func nanos(t time.Time) uint64 { return uint64(t.UnixNano()) }

// idBytes are the bytes of a hexadecimal id that this program has made.
func idBytes(id string) []byte {
	b, _ := hex.DecodeString(id) // never fails
	return b
}

// seedTraces makes each span a trace of its own that has just ended, as OATS does.
func seedTraces(all []cases.SeedTrace, run string, now time.Time) *tracepb.ExportTraceServiceRequest {
	request := &tracepb.ExportTraceServiceRequest{}
	for _, t := range all {
		scope := &tracev1.ScopeSpans{Scope: &commonv1.InstrumentationScope{Name: "lab-check"}}
		for _, s := range t.Spans {
			scope.Spans = append(scope.Spans, &tracev1.Span{
				TraceId: idBytes(traceparent.NewTraceID()), SpanId: idBytes(traceparent.NewSpanID()),
				Name: s.Name, Kind: tracev1.Span_SpanKind(s.Kind),
				StartTimeUnixNano: nanos(now.Add(-s.Duration)), EndTimeUnixNano: nanos(now),
			})
		}
		request.ResourceSpans = append(request.ResourceSpans, &tracev1.ResourceSpans{
			Resource: resource(t.Service, run), ScopeSpans: []*tracev1.ScopeSpans{scope},
		})
	}
	return request
}

func seedLogs(all []cases.SeedLog, run string, now time.Time) *logspb.ExportLogsServiceRequest {
	request := &logspb.ExportLogsServiceRequest{}
	for _, l := range all {
		request.ResourceLogs = append(request.ResourceLogs, &logsv1.ResourceLogs{
			Resource: resource(l.Service, run),
			ScopeLogs: []*logsv1.ScopeLogs{{
				Scope: &commonv1.InstrumentationScope{Name: "lab-check"},
				LogRecords: []*logsv1.LogRecord{{
					TimeUnixNano: nanos(now), ObservedTimeUnixNano: nanos(now), Body: keyValue("", l.Body).GetValue(),
					SeverityNumber: logsv1.SeverityNumber(l.SeverityNumber), SeverityText: l.SeverityText,
				}},
			}},
		})
	}
	return request
}

func seedMetrics(all []cases.SeedMetric, run string, now time.Time) *metricspb.ExportMetricsServiceRequest {
	request := &metricspb.ExportMetricsServiceRequest{}
	for _, m := range all {
		request.ResourceMetrics = append(request.ResourceMetrics, &metricsv1.ResourceMetrics{
			Resource: resource(m.Service, run),
			ScopeMetrics: []*metricsv1.ScopeMetrics{{
				Scope: &commonv1.InstrumentationScope{Name: "lab-check"},
				Metrics: []*metricsv1.Metric{{Name: m.Name, Data: &metricsv1.Metric_Sum{Sum: &metricsv1.Sum{
					IsMonotonic:            true,
					AggregationTemporality: metricsv1.AggregationTemporality_AGGREGATION_TEMPORALITY_CUMULATIVE,
					DataPoints: []*metricsv1.NumberDataPoint{{
						StartTimeUnixNano: nanos(now.Add(-time.Second)), TimeUnixNano: nanos(now),
						Value: &metricsv1.NumberDataPoint_AsInt{AsInt: m.Value},
					}},
				}}}},
			}},
		})
	}
	return request
}
