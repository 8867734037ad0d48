package judge

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// fake answers as the three stores do. It looks at a query only where a test says so.
type fake struct {
	t *testing.T
	// traces are spans by trace id, found by the search whose query is narrowed to the run.
	traces map[string][]fakeSpan
	// lines are log lines with their labels, found by every query but those in refuses.
	lines []fakeLine
	// series are the answers to PromQL queries; a query that is not here finds nothing.
	series map[string][]fakeSeries
	names  []string
	// refuses are answers of 400 by query.
	refuses map[string]string
	// asked are the queries, in their order; mu guards them, since a judge may ask several
	// at a time.
	mu    sync.Mutex
	asked []string
}

type fakeSpan struct {
	id, parent, service, name string
	kind                      tracepb.Span_SpanKind
	attributes                map[string]string
}

type fakeLine struct {
	text   string
	labels map[string]string
}

type fakeSeries struct {
	labels map[string]string
	value  string
}

func (f *fake) stores() query.Stores {
	server := httptest.NewServer(f)
	f.t.Cleanup(server.Close)
	return query.NewStores(server.URL, server.URL, server.URL, http.DefaultClient)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := r.FormValue("query") + r.FormValue("q")
	f.mu.Lock()
	f.asked = append(f.asked, q)
	f.mu.Unlock()
	for refused, answer := range f.refuses {
		if strings.Contains(q, refused) {
			http.Error(w, answer, http.StatusBadRequest)
			return
		}
	}
	switch path := r.URL.Path; {
	case path == "/api/search":
		var traces []map[string]string
		for id, spans := range f.traces {
			traces = append(traces, map[string]string{"traceID": id, "rootServiceName": spans[0].service, "rootTraceName": spans[0].name, "startTimeUnixNano": "1"})
		}
		f.write(w, map[string]any{"traces": traces})
	case strings.HasPrefix(path, "/api/traces/"):
		spans, there := f.traces[strings.TrimPrefix(path, "/api/traces/")]
		if !there {
			http.Error(w, "trace not found", http.StatusNotFound)
			return
		}
		_, _ = w.Write(f.trace(spans))
	case path == "/loki/api/v1/query_range":
		var streams []map[string]any
		for i, line := range f.lines {
			streams = append(streams, map[string]any{"stream": line.labels, "values": [][]string{{fmt.Sprint(i + 1), line.text}}})
		}
		f.write(w, map[string]any{"data": map[string]any{"resultType": "streams", "result": streams}})
	case path == "/prometheus/api/v1/query":
		result := []map[string]any{}
		for _, s := range f.series[q] {
			result = append(result, map[string]any{"metric": s.labels, "value": []any{1, s.value}})
		}
		f.write(w, map[string]any{"data": map[string]any{"resultType": "vector", "result": result}})
	case strings.HasPrefix(path, "/prometheus/api/v1/label/"):
		f.write(w, map[string]any{"data": f.names})
	default:
		f.write(w, map[string]any{"status": "success"})
	}
}

func (f *fake) write(w http.ResponseWriter, document any) {
	if err := json.NewEncoder(w).Encode(document); err != nil {
		f.t.Error(err)
	}
}

func (f *fake) trace(spans []fakeSpan) []byte {
	var data tracepb.TracesData
	for i, s := range spans {
		id, err := hex.DecodeString(s.id)
		if err != nil {
			f.t.Fatal(err)
		}
		parent, err := hex.DecodeString(s.parent)
		if err != nil {
			f.t.Fatal(err)
		}
		data.ResourceSpans = append(data.ResourceSpans, &tracepb.ResourceSpans{
			Resource: &resourcepb.Resource{Attributes: keyValues(map[string]string{"service.name": s.service, runid.Attribute: "r1"})},
			ScopeSpans: []*tracepb.ScopeSpans{{
				Scope: &commonpb.InstrumentationScope{Name: "Microsoft.AspNetCore"},
				Spans: []*tracepb.Span{{
					SpanId: id, ParentSpanId: parent, Name: s.name, Kind: s.kind, StartTimeUnixNano: uint64(i + 1), EndTimeUnixNano: uint64(i + 2),
					Attributes: keyValues(s.attributes),
				}},
			}},
		})
	}
	body, err := proto.Marshal(&data)
	if err != nil {
		f.t.Fatal(err)
	}
	return body
}

func keyValues(attributes map[string]string) []*commonpb.KeyValue {
	var all []*commonpb.KeyValue
	for key, value := range attributes {
		all = append(all, &commonpb.KeyValue{Key: key, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: value}}})
	}
	return all
}
