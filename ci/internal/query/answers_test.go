package query

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// The answers below have the shape of those of Loki 3.7, Tempo 2.9 and Mimir 3.0.

func TestInstant(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":{"resultType":"vector","result":[
		{"metric":{"http_route":"/users"},"value":[1795354930.735,"196"]},
		{"metric":{},"value":[1795354930.735,"+Inf"]},
		{"metric":{"http_route":"/stats"},"value":[1795354930.735,"1.5e+06"]}]}}`)
	got, err := (Mimir{url, http.DefaultClient}).Instant(t.Context(), `sum by (http_route) (a{b="c"})`, to)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0].Labels["http_route"] != "/users" || got[0].Value != 196 || got[2].Value != 1.5e6 {
		t.Errorf("the samples are %v", got)
	}
	checkAsked(t, a, "/prometheus/api/v1/query", map[string]string{"query": `sum by (http_route) (a{b="c"})`, "time": "1795354960.999"})
}

func TestScalarOfNothing(t *testing.T) {
	url, _ := serve(t, 200, `{"status":"success","data":{"resultType":"vector","result":[]}}`)
	value, found, err := (Mimir{url, http.DefaultClient}).Scalar(t.Context(), "up", to)
	if value != 0 || found || err != nil {
		t.Errorf("%v, %v, %v, want nothing found", value, found, err)
	}
}

func TestExemplars(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":[
		{"seriesLabels":{"__name__":"a_bucket","le":"0.005"},"exemplars":[
			{"labels":{"span_id":"147bd3f2ddfd3d99","trace_id":"0000abcdef0123456789abcdef012345"},"value":"0.001781098","timestamp":1795354924.553}]},
		{"seriesLabels":{"__name__":"a_bucket","le":"0.01"},"exemplars":[]},
		{"seriesLabels":{"__name__":"a_bucket","le":"+Inf"},"exemplars":[{"labels":{"traceID":"abc"},"value":"1","timestamp":1795354925}]}]}`)
	got, err := (Mimir{url, http.DefaultClient}).Exemplars(t.Context(), "a_bucket", from, to)
	if err != nil {
		t.Fatal(err)
	}
	want := []Exemplar{
		{Series: map[string]string{"__name__": "a_bucket", "le": "0.005"}, TraceID: "0000abcdef0123456789abcdef012345",
			SpanID: "147bd3f2ddfd3d99", Time: time.UnixMilli(1795354924553), Value: 0.001781098,
			Labels: map[string]string{"span_id": "147bd3f2ddfd3d99", "trace_id": "0000abcdef0123456789abcdef012345"}},
		{Series: map[string]string{"__name__": "a_bucket", "le": "+Inf"}, Time: time.UnixMilli(1795354925000), Value: 1,
			Labels: map[string]string{"traceID": "abc"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("exemplars (- want, + got):\n%s", diff)
	}
	checkAsked(t, a, "/prometheus/api/v1/query_exemplars", map[string]string{"query": "a_bucket", "start": "1795354900.250", "end": "1795354960.999"})
}

func TestLines(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":{"resultType":"streams","result":[
		{"stream":{"service_name":"frontend","trace_id":"a"},"values":[["1795354924553004128","second"],["1795354924553004130","fourth"]]},
		{"stream":{"service_name":"backend"},"values":[["1795354924553004127","first"],["1795354924553004129","third"]]}],
		"stats":{"summary":{"execTime":0.004}}}}`)
	got, err := (Loki{url, http.DefaultClient}).Lines(t.Context(), `{service_name=~".+"}`, from, to, 10)
	if err != nil {
		t.Fatal(err)
	}
	var order []string
	for _, l := range got {
		order = append(order, l.Text+" "+l.Labels["service_name"])
	}
	if diff := cmp.Diff([]string{"first backend", "second frontend", "third backend", "fourth frontend"}, order); diff != "" {
		t.Errorf("lines, the oldest first (- want, + got):\n%s", diff)
	}
	if ns := got[1].Time.UnixNano(); ns != 1795354924553004128 {
		t.Errorf("the second line's time is %d", ns)
	}
	checkAsked(t, a, "/loki/api/v1/query_range", map[string]string{"query": `{service_name=~".+"}`, "limit": "10", "direction": "forward",
		"start": "1795354900250000000", "end": "1795354960999999999"})
}

func TestCount(t *testing.T) {
	url, a := serve(t, 200, `{"status":"success","data":{"resultType":"vector","result":[
		{"metric":{"trace_id":"a"},"value":[1795354930.679,"1"]},
		{"metric":{"trace_id":"b"},"value":[1795354930.679,"2"]},
		{"metric":{"trace_id":"b","other":"x"},"value":[1795354930.679,"3"]},
		{"metric":{},"value":[1795354930.679,"4"]}]}}`)
	got, err := (Loki{url, http.DefaultClient}).Count(t.Context(), "sum(a)", "trace_id", to)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[string]float64{"a": 1, "b": 5, "": 4}, got); diff != "" {
		t.Errorf("counts (- want, + got):\n%s", diff)
	}
	checkAsked(t, a, "/loki/api/v1/query", map[string]string{"query": "sum(a)", "time": "1795354960999999999"})
}

func TestSearch(t *testing.T) {
	url, a := serve(t, 200, `{"traces":[{"traceID":"abcdef0123456789abcdef012345","rootServiceName":"<root span not yet received>"},
		{"traceID":"00f067aa0ba902b700f067aa0ba902b7"},{"traceID":"1"}],"metrics":{"inspectedBytes":"216971"}}`)
	got, err := (Tempo{url, http.DefaultClient}).Search(t.Context(), `{ name = "a" }`, from, to, 3)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"0000abcdef0123456789abcdef012345", "00f067aa0ba902b700f067aa0ba902b7", strings.Repeat("0", 31) + "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ids of 32 digits (- want, + got):\n%s", diff)
	}
	// Tempo takes whole seconds; the last one is in.
	checkAsked(t, a, "/api/search", map[string]string{"q": `{ name = "a" }`, "limit": "3", "start": "1795354900", "end": "1795354961"})

	url, _ = serve(t, 200, `{"traces":[],"metrics":{}}`)
	if got, err := (Tempo{url, http.DefaultClient}).Search(t.Context(), "{}", from, to, 3); len(got) > 0 || err != nil {
		t.Errorf("%v, %v, want nothing and no error", got, err)
	}
}

// recorded is a trace in two batches, the later span in the first.
func recorded() *tracepb.TracesData {
	text := func(k, v string) *commonpb.KeyValue {
		return &commonpb.KeyValue{Key: k, Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_StringValue{StringValue: v}}}
	}
	batch := func(service string, spans ...*tracepb.Span) *tracepb.ResourceSpans {
		return &tracepb.ResourceSpans{
			Resource:   &resourcepb.Resource{Attributes: []*commonpb.KeyValue{text("service.name", service)}},
			ScopeSpans: []*tracepb.ScopeSpans{{Spans: spans}},
		}
	}
	root, sql := []byte{0, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7}, []byte{1, 2, 3, 4, 5, 6, 7, 8}
	return &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{
		batch("backend", &tracepb.Span{
			SpanId: sql, ParentSpanId: root, Name: "SELECT users", Kind: tracepb.Span_SPAN_KIND_CLIENT,
			StartTimeUnixNano: 2_000_000_000, EndTimeUnixNano: 2_300_000_000,
			Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_ERROR},
			Attributes: []*commonpb.KeyValue{
				text("db.system.name", "sqlite"),
				{Key: "rows", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_IntValue{IntValue: -3}}},
				{Key: "cached", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_BoolValue{BoolValue: true}}},
				{Key: "share", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_DoubleValue{DoubleValue: 0.25}}},
				{Key: "list", Value: &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{
					{Value: &commonpb.AnyValue_StringValue{StringValue: "a"}}, {Value: &commonpb.AnyValue_IntValue{IntValue: 2}},
				}}}}},
				{Key: "nothing"},
			},
		}),
		batch("frontend", &tracepb.Span{
			SpanId: root, Name: "GET /", Kind: tracepb.Span_SPAN_KIND_SERVER, StartTimeUnixNano: 1_000_000_000, EndTimeUnixNano: 3_000_000_000,
			Status: &tracepb.Status{Code: tracepb.Status_STATUS_CODE_OK},
		}),
	}}
}

func marshal(t testing.TB, m proto.Message) string {
	t.Helper()
	body, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestTrace(t *testing.T) {
	url, a := serve(t, 200, marshal(t, recorded()))
	got, err := (Tempo{url, http.DefaultClient}).Trace(t.Context(), "0000abc")
	if err != nil {
		t.Fatal(err)
	}
	want := []Span{
		{ID: "00f067aa0ba902b7", Service: "frontend", Name: "GET /", Kind: Server, Start: time.Unix(1, 0), End: time.Unix(3, 0),
			Attributes: map[string]string{}, Resource: map[string]string{"service.name": "frontend"}},
		{ID: "0102030405060708", ParentID: "00f067aa0ba902b7", Service: "backend", Name: "SELECT users", Kind: Client, Failed: true,
			Start: time.Unix(2, 0), End: time.Unix(2, 300_000_000),
			Attributes: map[string]string{"db.system.name": "sqlite", "rows": "-3", "cached": "true", "share": "0.25", "list": "[a, 2]"},
			Resource:   map[string]string{"service.name": "backend"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans, the earliest first (- want, + got):\n%s", diff)
	}
	if d := got[1].Duration(); d != 300*time.Millisecond {
		t.Errorf("the duration is %v", d)
	}
	checkAsked(t, a, "/api/traces/0000abc", nil)
	if accept := a.asked.Header.Get("Accept"); accept != "application/protobuf" {
		t.Errorf("Accept is %q", accept)
	}
}

// TestTraceOfNothing is a trace that is there and has no spans.
func TestTraceOfNothing(t *testing.T) {
	for name, body := range map[string]string{
		"no bytes": "", "no batches": marshal(t, &tracepb.TracesData{}),
		"no spans": marshal(t, &tracepb.TracesData{ResourceSpans: []*tracepb.ResourceSpans{{ScopeSpans: []*tracepb.ScopeSpans{{}}}, {}}}),
	} {
		url, _ := serve(t, 200, body)
		if spans, err := (Tempo{url, http.DefaultClient}).Trace(t.Context(), "abc"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, %v, want ErrNotFound", name, spans, err)
		}
	}
}

func checkAsked(t *testing.T, a *answer, path string, params map[string]string) {
	t.Helper()
	if a.asked.URL.Path != path || a.asked.Method != http.MethodGet {
		t.Errorf("asked %s %s, want GET %s", a.asked.Method, a.asked.URL.Path, path)
	}
	got := map[string]string{}
	for k, v := range a.asked.URL.Query() {
		got[k] = strings.Join(v, "|")
	}
	if diff := cmp.Diff(params, got); len(params)+len(got) > 0 && diff != "" {
		t.Errorf("parameters (- want, + got):\n%s", diff)
	}
}

// FuzzAnswers gives any bytes as the answer to every question: there may be an
// error, but no panic, no endless loop and no malformed id.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte(marshal(f, recorded())))
	f.Add([]byte(`{"data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1,"2"]}]}}`))
	f.Add([]byte(`{"data":{"resultType":"streams","result":[{"stream":{"a":"b"},"values":[["1","text"]]}]}}`))
	f.Add([]byte(`{"data":[{"seriesLabels":{},"exemplars":[{"labels":{"trace_id":"a"},"timestamp":1e300}]}]}`))
	f.Add([]byte(`{"traces":[{"traceID":"a"}]}`))
	f.Add([]byte("<html>"))
	url, a := serve(f, 200, "")
	f.Fuzz(func(t *testing.T, body []byte) {
		a.body = string(body)
		for name, ask := range asks(url) {
			if err := ask(t.Context()); err != nil && len(err.Error()) > 2000 {
				t.Errorf("%s: an error of %d bytes", name, len(err.Error()))
			}
		}
		spans, err := (Tempo{url, http.DefaultClient}).Trace(t.Context(), "abc")
		if err == nil && len(spans) == 0 {
			t.Error("a trace without spans is not ErrNotFound")
		}
		for i, s := range spans {
			if _, err := hex.DecodeString(s.ID + s.ParentID); err != nil {
				t.Errorf("%q and %q are not hexadecimal", s.ID, s.ParentID)
			}
			if i > 0 && s.Start.Before(spans[i-1].Start) {
				t.Error("the spans are not in order")
			}
		}
	})
}
