package inspector

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace/ptraceotlp"
)

// request is an export request with one span of the service shop, in the run a.
func request(t *testing.T) []byte {
	t.Helper()
	r := ptraceotlp.NewExportRequest()
	rs := r.Traces().ResourceSpans().AppendEmpty()
	rs.Resource().Attributes().PutStr("service.name", "shop")
	rs.Resource().Attributes().PutStr("lab.run.id", "a")
	span := rs.ScopeSpans().AppendEmpty().Spans().AppendEmpty()
	span.SetTraceID(pcommon.TraceID{1})
	span.SetSpanID(pcommon.SpanID{1})
	span.SetName("GET /")
	body, err := r.MarshalProto()
	if err != nil {
		t.Fatal(err)
	}
	return body
}

func zipped(t *testing.T, body []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestClientGetsWhatTheServerSaw(t *testing.T) {
	server := httptest.NewServer(NewServer(nil).Handler())
	defer server.Close()
	c := Client{URL: server.URL}
	post(t, server.URL, "", request(t), http.StatusOK)
	post(t, server.URL, "gzip", zipped(t, request(t)), http.StatusOK)

	s, err := c.Facts(t.Context(), "shop", "")
	if err != nil || s.Spans.Count != 2 || s.Name != "shop" {
		t.Errorf("facts %+v, %v", s, err)
	}
	if s, err = c.Facts(t.Context(), "shop", "a"); err != nil || s.RunID != "a" || s.Spans.Operations[0].Name != "GET /" {
		t.Errorf("facts of the run %+v, %v", s, err)
	}
	list, err := c.Services(t.Context())
	if err != nil || len(list) != 1 || list[0].Name != "shop" || fmt.Sprint(list[0].RunIDs) != "[a]" {
		t.Errorf("services %+v, %v", list, err)
	}
	if _, err = c.Facts(t.Context(), "shop", "b"); !errors.Is(err, ErrNoFacts) || !strings.Contains(err.Error(), `service "shop" in the run "b"`) {
		t.Errorf("facts of another run: %v", err)
	}
	if _, err = (Client{}).Services(t.Context()); !errors.Is(err, ErrOff) {
		t.Errorf("without an inspector: %v", err)
	}
}

func TestServerRefuses(t *testing.T) {
	server := httptest.NewServer(NewServer(nil).Handler())
	defer server.Close()
	long := zipped(t, make([]byte, maxRequest+1))
	for name, test := range map[string]struct {
		encoding string
		body     []byte
		status   int
	}{
		"what is no OTLP":         {"", []byte("hello"), http.StatusBadRequest},
		"what is no gzip":         {"gzip", []byte("hello"), http.StatusBadRequest},
		"an encoding":             {"br", request(t), http.StatusBadRequest},
		"a gzip that is a bomb":   {"gzip", long, http.StatusRequestEntityTooLarge},
		"a request that is whole": {"", request(t), http.StatusOK},
	} {
		t.Run(name, func(t *testing.T) { post(t, server.URL, test.encoding, test.body, test.status) })
	}
	resp, err := http.Post(server.URL+"/v1/logs", "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusUnsupportedMediaType {
		t.Errorf("JSON: %s", resp.Status)
	}
}

func post(t *testing.T, url, encoding string, body []byte, status int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url+"/v1/traces", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("Content-Encoding", encoding)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if text, _ := io.ReadAll(resp.Body); resp.StatusCode != status {
		t.Errorf("%s %s, want %d", resp.Status, text, status)
	}
}

func TestLosses(t *testing.T) {
	spans := 0
	alloy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `# TYPE otelcol_exporter_enqueue_failed_spans_total counter
otelcol_exporter_enqueue_failed_spans_total{component_path="/inspector.copy.lab",component_id="otelcol.exporter.otlphttp.inspector",x="a b"} %d
otelcol_exporter_send_failed_spans_total{component_path="/inspector.copy.lab",component_id="otelcol.exporter.otlphttp.inspector"} 1
otelcol_exporter_enqueue_failed_log_records_total{component_path="/",component_id="otelcol.exporter.otlphttp.loki"} 9
`, spans)
	}))
	defer alloy.Close()
	server := httptest.NewServer(NewServer(&Losses{URL: alloy.URL, HTTP: alloy.Client()}).Handler())
	defer server.Close()
	post(t, server.URL, "", request(t), http.StatusOK)
	for _, spans = range []int{4, 1_000_000} {
		s, err := Client{URL: server.URL}.Facts(t.Context(), "shop", "")
		want := fmt.Sprintf("[Alloy dropped %d spans of the copy, of all services: the inspector was too slow or away.]", spans+1)
		if err != nil || fmt.Sprint(s.Bounds) != want {
			t.Errorf("bounds %q, %v; want %s", s.Bounds, err, want)
		}
	}
}

// TestWatch lets Alloy drop spans while no facts are asked for.
func TestWatch(t *testing.T) {
	alloy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, `otelcol_exporter_enqueue_failed_spans_total{component_path="/inspector.copy.lab",component_id="otelcol.exporter.otlphttp.inspector"} 4`)
	}))
	defer alloy.Close()
	s := NewServer(&Losses{URL: alloy.URL, HTTP: alloy.Client()})
	go s.Watch(t.Context())
	begin := time.Now()
	for len(s.losses.Sentences()) == 0 {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("Watch has not asked Alloy")
		}
		time.Sleep(time.Millisecond)
	}
}
