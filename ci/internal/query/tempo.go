package query

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Tempo reads traces.
type Tempo struct {
	// URL is Tempo's base URL.
	URL  string
	HTTP *http.Client
}

// Kind is a span's kind, as OpenTelemetry names it.
type Kind string

// The kinds of span. That of a span whose sender has not said it is "".
const (
	Internal Kind = "internal"
	Server   Kind = "server"
	Client   Kind = "client"
	Producer Kind = "producer"
	Consumer Kind = "consumer"
)

// Span is one span of a trace.
type Span struct {
	ID, ParentID string // hexadecimal; ParentID is "" for a root
	Service      string
	Name         string
	Kind         Kind
	Start, End   time.Time
	// Failed says that the span's status is an error.
	Failed bool
	// Message is what the status says besides, often "".
	Message    string
	Attributes map[string]string
	// Events are in the order in which the sender has them, often that of their times.
	Events []Event
	// Resource are the attributes of what has made the span: the service, its pod.
	Resource map[string]string
	// Scope is the name of the instrumentation scope: the library that has made the span.
	Scope string
}

// Event is something that happened during a span, such as an exception.
type Event struct {
	Name       string
	Time       time.Time
	Attributes map[string]string
}

// Duration is the time that the span took.
func (s Span) Duration() time.Duration { return s.End.Sub(s.Start) }

// Trace returns the spans of a trace by its id, the earliest first. It returns
// ErrNotFound when Tempo has no span of the trace.
func (t Tempo) Trace(ctx context.Context, id string) ([]Span, error) {
	req, err := http.NewRequest(http.MethodGet, t.URL+"/api/traces/"+url.PathEscape(id), nil)
	if err != nil {
		return nil, err
	}
	// Tempo's Trace message is OTLP's TracesData under another name.
	req.Header.Set("Accept", "application/protobuf")
	body, err := fetch(ctx, t.HTTP, req)
	if status, ok := errors.AsType[*statusError](err); ok && status.code == http.StatusNotFound {
		return nil, fmt.Errorf("trace %s: %w", id, ErrNotFound)
	}
	if err != nil {
		return nil, fmt.Errorf("trace %s: %w", id, err)
	}
	var data tracepb.TracesData
	if err := proto.Unmarshal(body, &data); err != nil {
		return nil, unexpected(req.URL.Path, err, body)
	}
	var spans []Span
	for _, rs := range data.GetResourceSpans() {
		resource := attributes(rs.GetResource().GetAttributes())
		for _, ss := range rs.GetScopeSpans() {
			for _, s := range ss.GetSpans() {
				spans = append(spans, span(s, resource, ss.GetScope().GetName()))
			}
		}
	}
	if len(spans) == 0 {
		return nil, fmt.Errorf("trace %s: %w", id, ErrNotFound)
	}
	slices.SortFunc(spans, func(a, b Span) int { return a.Start.Compare(b.Start) })
	return spans, nil
}

func span(s *tracepb.Span, resource map[string]string, scope string) Span {
	kinds := map[tracepb.Span_SpanKind]Kind{
		tracepb.Span_SPAN_KIND_SERVER:   Server,
		tracepb.Span_SPAN_KIND_CLIENT:   Client,
		tracepb.Span_SPAN_KIND_INTERNAL: Internal,
		tracepb.Span_SPAN_KIND_PRODUCER: Producer,
		tracepb.Span_SPAN_KIND_CONSUMER: Consumer,
	}
	var events []Event
	for _, e := range s.GetEvents() {
		events = append(events, Event{e.GetName(), time.Unix(0, int64(e.GetTimeUnixNano())), attributes(e.GetAttributes())})
	}
	return Span{
		ID: hex.EncodeToString(s.GetSpanId()), ParentID: hex.EncodeToString(s.GetParentSpanId()),
		Service: resource["service.name"], Name: s.GetName(), Kind: kinds[s.GetKind()],
		Start:      time.Unix(0, int64(s.GetStartTimeUnixNano())),
		End:        time.Unix(0, int64(s.GetEndTimeUnixNano())),
		Failed:     s.GetStatus().GetCode() == tracepb.Status_STATUS_CODE_ERROR,
		Message:    s.GetStatus().GetMessage(),
		Attributes: attributes(s.GetAttributes()),
		Events:     events,
		Resource:   resource,
		Scope:      scope,
	}
}

// attributes returns the values as text; maps and bytes are left out.
func attributes(kvs []*commonpb.KeyValue) map[string]string {
	m := make(map[string]string, len(kvs))
	for _, kv := range kvs {
		switch v := kv.GetValue().GetValue().(type) {
		case *commonpb.AnyValue_StringValue:
			m[kv.GetKey()] = v.StringValue
		case *commonpb.AnyValue_IntValue:
			m[kv.GetKey()] = strconv.FormatInt(v.IntValue, 10)
		case *commonpb.AnyValue_BoolValue:
			m[kv.GetKey()] = strconv.FormatBool(v.BoolValue)
		case *commonpb.AnyValue_DoubleValue:
			m[kv.GetKey()] = strconv.FormatFloat(v.DoubleValue, 'g', -1, 64)
		case *commonpb.AnyValue_ArrayValue:
			var all []string
			for _, each := range v.ArrayValue.GetValues() {
				all = append(all, attributes([]*commonpb.KeyValue{{Value: each}})[""])
			}
			m[kv.GetKey()] = "[" + strings.Join(all, ", ") + "]"
		}
	}
	return m
}

// traceIDDigits is the length of a trace id in hexadecimal.
const traceIDDigits = 32

// Search returns the ids of up to limit traces that the TraceQL query selects
// between two times, in 32 digits each. In the query itself an id has no leading
// zeros: `{ trace:id = "0abc…" }` selects nothing.
func (t Tempo) Search(ctx context.Context, traceQL string, from, to time.Time, limit int) ([]string, error) {
	var answer struct {
		Traces []struct {
			TraceID string `json:"traceID"`
		} `json:"traces"`
	}
	if err := getJSON(ctx, t.HTTP, t.URL, "/api/search", searchParams(traceQL, from, to, limit), &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", traceQL, err)
	}
	var ids []string
	for _, tr := range answer.Traces {
		ids = append(ids, fullTraceID(tr.TraceID))
	}
	return ids, nil
}
