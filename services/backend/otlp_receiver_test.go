package main

import (
	"context"
	"net"
	"os"
	"strings"
	"sync"
	"testing"

	collogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	colmetrics "go.opentelemetry.io/proto/otlp/collector/metrics/v1"
	coltrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	"google.golang.org/grpc"
)

// otlpReceiver is an OTLP/gRPC receiver that counts what it receives.
type otlpReceiver struct {
	addr string

	mu       sync.Mutex
	spans    int
	logs     int
	requests uint64 // the latest count of http.server.request.duration
}

func newOTLPReceiver(t testing.TB) *otlpReceiver {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &otlpReceiver{addr: listener.Addr().String()}
	server := grpc.NewServer()
	coltrace.RegisterTraceServiceServer(server, traceService{otlpReceiver: s})
	colmetrics.RegisterMetricsServiceServer(server, metricsService{otlpReceiver: s})
	collogs.RegisterLogsServiceServer(server, logsService{otlpReceiver: s})
	var serving sync.WaitGroup
	serving.Go(func() { _ = server.Serve(listener) })
	t.Cleanup(func() { server.Stop(); serving.Wait() })
	return s
}

// configure sets the environment so that telemetry goes to this receiver. It clears all
// other OTEL_* variables of the machine; an empty variable counts as unset.
func (s *otlpReceiver) configure(t testing.TB) {
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "OTEL_") {
			t.Setenv(name, "")
		}
	}
	for _, name := range []string{"OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER"} {
		t.Setenv(name, "otlp")
	}
	t.Setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
	t.Setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://"+s.addr)
}

func (s *otlpReceiver) received() (spans, logs int, requests uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spans, s.logs, s.requests
}

type traceService struct {
	coltrace.UnimplementedTraceServiceServer
	*otlpReceiver
}

func (s traceService) Export(_ context.Context, r *coltrace.ExportTraceServiceRequest) (*coltrace.ExportTraceServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range r.GetResourceSpans() {
		for _, scope := range resource.GetScopeSpans() {
			s.spans += len(scope.GetSpans())
		}
	}
	return &coltrace.ExportTraceServiceResponse{}, nil
}

type logsService struct {
	collogs.UnimplementedLogsServiceServer
	*otlpReceiver
}

func (s logsService) Export(_ context.Context, r *collogs.ExportLogsServiceRequest) (*collogs.ExportLogsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range r.GetResourceLogs() {
		for _, scope := range resource.GetScopeLogs() {
			s.logs += len(scope.GetLogRecords())
		}
	}
	return &collogs.ExportLogsServiceResponse{}, nil
}

type metricsService struct {
	colmetrics.UnimplementedMetricsServiceServer
	*otlpReceiver
}

func (s metricsService) Export(_ context.Context, r *colmetrics.ExportMetricsServiceRequest) (*colmetrics.ExportMetricsServiceResponse, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, resource := range r.GetResourceMetrics() {
		for _, scope := range resource.GetScopeMetrics() {
			for _, m := range scope.GetMetrics() {
				if m.GetName() == "http.server.request.duration" {
					s.requests = count(m.GetHistogram())
				}
			}
		}
	}
	return &colmetrics.ExportMetricsServiceResponse{}, nil
}

func count(h *metricspb.Histogram) (n uint64) {
	for _, p := range h.GetDataPoints() {
		n += p.GetCount()
	}
	return n
}
