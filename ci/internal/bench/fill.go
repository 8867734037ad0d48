package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"time"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/proto"
)

// filler sends traces as the services make them, without the services: what is stored is of
// the same shape, and comes quicker. Each trace is a request for one user, with four spans
// and two log lines.
type filler struct {
	otlp   string // the base URL of OTLP by HTTP
	prefix uint64 // the first half of every trace id
	sent   uint64 // traces
}

const (
	spansPerTrace = spansPerRequest
	linesPerTrace = 2
	// tracesPerPush is how many traces go in one request; services export about as many.
	tracesPerPush = 128
	// senders is how many requests are on their way at once.
	senders = 4
)

func newFiller(otlp string) *filler {
	return &filler{otlp: otlp, prefix: uint64(time.Now().UnixNano())}
}

// id is the id of trace n, from 0.
func (f *filler) id(n uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, f.prefix), n+1)
}

// fill sends so many traces, as quickly as Alloy takes them. Their times are now.
func (f *filler) fill(ctx context.Context, traces int, progress func(done int)) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(senders)
	for done := 0; done < traces && ctx.Err() == nil; done += tracesPerPush {
		first, n := f.sent, min(tracesPerPush, traces-done)
		f.sent += uint64(n)
		group.Go(func() error { return f.push(ctx, first, n) })
		progress(done)
	}
	return group.Wait()
}

// push sends the spans and the lines of n traces. Alloy asks to wait when it is full.
func (f *filler) push(ctx context.Context, first uint64, n int) error {
	spans, lines := f.batch(first, n, time.Now())
	for path, message := range map[string]proto.Message{"/v1/traces": spans, "/v1/logs": lines} {
		body, err := proto.Marshal(message)
		if err != nil {
			return err
		}
		if err := f.post(ctx, path, body); err != nil {
			return err
		}
	}
	return nil
}

func (f *filler) post(ctx context.Context, path string, body []byte) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, f.otlp+path, bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Content-Type", "application/x-protobuf")
		res, err := httpClient.Do(req)
		if err != nil {
			return err
		}
		res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK:
			return nil
		case res.StatusCode != http.StatusTooManyRequests && res.StatusCode != http.StatusServiceUnavailable:
			return fmt.Errorf("%s answered %s", f.otlp+path, res.Status)
		}
		if err := waitSecond(ctx); err != nil {
			return err
		}
	}
}

// batch makes the spans and lines of n traces that end now.
func (f *filler) batch(first uint64, n int, now time.Time) (*collectortrace.ExportTraceServiceRequest, *collectorlogs.ExportLogsServiceRequest) {
	var spans [2][]*tracepb.Span
	var lines [2][]*logspb.LogRecord
	for i := range uint64(n) {
		id, user := f.id(first+i), int64(i%50+1)
		at := func(before time.Duration) uint64 { return uint64(now.Add(-before).UnixNano()) }
		span := func(number byte, parent byte, name string, kind tracepb.Span_SpanKind, began, took time.Duration, attrs ...*commonpb.KeyValue) *tracepb.Span {
			s := &tracepb.Span{
				TraceId: id, SpanId: append([]byte{number}, id[9:]...), Name: name, Kind: kind,
				StartTimeUnixNano: at(began), EndTimeUnixNano: at(began - took), Attributes: attrs,
			}
			if parent != 0 {
				s.ParentSpanId = append([]byte{parent}, id[9:]...)
			}
			return s
		}
		path := fmt.Sprintf("/users/%d", user)
		served := func(route, path string) []*commonpb.KeyValue {
			return []*commonpb.KeyValue{
				text("http.request.method", "GET"), text("url.scheme", "http"), text("server.address", "backend"), number("server.port", 8081),
				text("network.peer.address", "127.0.0.1"), number("network.peer.port", 40000+user), text("user_agent.original", "lab-bench/1"),
				text("client.address", "127.0.0.1"), text("url.path", path), text("network.protocol.version", "1.1"), text("http.route", route),
				number("http.response.body.size", 98), number("http.response.status_code", 200),
			}
		}
		spans[0] = append(spans[0],
			span(1, 0, "GET /api/users/{id}", tracepb.Span_SPAN_KIND_SERVER, 5*time.Millisecond, 4*time.Millisecond, served("/api/users/{id}", "/api"+path)...),
			span(2, 1, "GET /users/{id}", tracepb.Span_SPAN_KIND_CLIENT, 4*time.Millisecond, 2*time.Millisecond, served("/users/{id}", path)[:6]...))
		spans[1] = append(spans[1],
			span(3, 2, "GET /users/{id}", tracepb.Span_SPAN_KIND_SERVER, 3500*time.Microsecond, time.Millisecond, served("/users/{id}", path)...),
			span(4, 3, "SELECT users", tracepb.Span_SPAN_KIND_CLIENT, 3*time.Millisecond, 300*time.Microsecond,
				text("db.system.name", "sqlite"), text("db.namespace", "users"), text("db.operation.name", "SELECT"), text("db.collection.name", "users"),
				text("db.query.text", `SELECT "u"."id", "u"."name", "u"."email", "u"."created_at" FROM "users" AS "u" WHERE (id = ?)`)))
		for side, route := range []string{"/api/users/{id}", "/users/{id}"} {
			lines[side] = append(lines[side], &logspb.LogRecord{
				TimeUnixNano: at(0), SeverityNumber: logspb.SeverityNumber_SEVERITY_NUMBER_INFO, SeverityText: "INFO",
				Body: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: "request"}}, TraceId: id, SpanId: append([]byte{byte(2*side + 1)}, id[9:]...),
				Attributes: []*commonpb.KeyValue{
					text("http.request.method", "GET"), text("http.route", route), number("http.response.status_code", 200), text("url.path", path),
					text("duration_ms", "1.25"), text("request_id", fmt.Sprintf("%X", id)),
				},
			})
		}
	}
	var traces collectortrace.ExportTraceServiceRequest
	var logs collectorlogs.ExportLogsServiceRequest
	for side, name := range []string{"bench-frontend", "bench-backend"} {
		resource := &resourcepb.Resource{Attributes: []*commonpb.KeyValue{
			text("service.name", name), text("service.instance.id", name+"-1"), text("service.version", "1"), text("host.name", "bench"),
			text("telemetry.sdk.language", "go"), text("telemetry.sdk.name", "opentelemetry"), text("deployment.environment.name", "local"),
		}}
		scope := &commonpb.InstrumentationScope{Name: "lab/bench"}
		traces.ResourceSpans = append(traces.ResourceSpans, &tracepb.ResourceSpans{Resource: resource, ScopeSpans: []*tracepb.ScopeSpans{{Scope: scope, Spans: spans[side]}}})
		logs.ResourceLogs = append(logs.ResourceLogs, &logspb.ResourceLogs{Resource: resource, ScopeLogs: []*logspb.ScopeLogs{{Scope: scope, LogRecords: lines[side]}}})
	}
	return &traces, &logs
}

func text(key, value string) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}}
}

func number(key string, value int64) *commonpb.KeyValue {
	return &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: value}}}
}
