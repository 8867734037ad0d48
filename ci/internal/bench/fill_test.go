package bench

import (
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	collectorlogs "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// What is sent has as many traces as were asked for, each with four spans that hang
// together and two lines, also after a receiver that was full.
func TestFill(t *testing.T) {
	var mu sync.Mutex
	spans, lines, refused := map[string]map[string]string{}, map[string]int{}, false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if !refused {
			refused = true
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		body, _ := io.ReadAll(r.Body)
		var traces collectortrace.ExportTraceServiceRequest
		var logs collectorlogs.ExportLogsServiceRequest
		if r.URL.Path == "/v1/traces" && proto.Unmarshal(body, &traces) != nil || r.URL.Path == "/v1/logs" && proto.Unmarshal(body, &logs) != nil {
			t.Errorf("a body of %s cannot be read", r.URL.Path)
		}
		for _, rs := range traces.ResourceSpans {
			for _, s := range rs.ScopeSpans[0].Spans {
				id := hex.EncodeToString(s.TraceId)
				if spans[id] == nil {
					spans[id] = map[string]string{}
				}
				spans[id][hex.EncodeToString(s.SpanId)] = hex.EncodeToString(s.ParentSpanId)
			}
		}
		for _, rl := range logs.ResourceLogs {
			for _, l := range rl.ScopeLogs[0].LogRecords {
				lines[hex.EncodeToString(l.TraceId)]++
			}
		}
	}))
	defer server.Close()
	f := newFiller(server.URL)
	const traces = 300
	for range 2 { // a second fill goes on with new ids
		if err := f.fill(t.Context(), traces/2, func(int) {}); err != nil {
			t.Fatal(err)
		}
	}
	if len(spans) != traces || len(lines) != traces || int(f.sent) != traces {
		t.Fatalf("%d traces, lines of %d, %d counted; want %d", len(spans), len(lines), f.sent, traces)
	}
	for id, all := range spans {
		roots := 0
		for _, parent := range all {
			if parent == "" {
				roots++
			} else if _, ok := all[parent]; !ok {
				t.Fatalf("trace %s: a span has the parent %s, which is not there", id, parent)
			}
		}
		if len(all) != spansPerTrace || roots != 1 || lines[id] != linesPerTrace {
			t.Fatalf("trace %s has %d spans, %d roots, %d lines", id, len(all), roots, lines[id])
		}
	}
}
