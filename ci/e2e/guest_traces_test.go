package e2e

import (
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	collectortrace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
)

// spans returns a request with these spans of one service.
func spans(service string, all ...*tracepb.Span) *collectortrace.ExportTraceServiceRequest {
	return &collectortrace.ExportTraceServiceRequest{ResourceSpans: []*tracepb.ResourceSpans{{
		Resource: resource(service), ScopeSpans: []*tracepb.ScopeSpans{{Spans: all}},
	}}}
}

// newSpan returns a root span that ended just now, and its trace's id.
func newSpan(name string) (s *tracepb.Span, traceID string) {
	traceID = randomID(16)
	end := time.Now().Add(-time.Second)
	return &tracepb.Span{TraceId: unhex(traceID), SpanId: unhex(randomID(8)), Name: name,
		StartTimeUnixNano: nanos(end.Add(-10 * time.Millisecond)), EndTimeUnixNano: nanos(end)}, traceID
}

func unhex(id string) []byte {
	raw, err := hex.DecodeString(id)
	if err != nil {
		panic(err)
	}
	return raw
}

// Every span of a guest is either stored, if need be mended, or refused to the guest. The
// traces that others sent in the same second are stored in each case.
func TestGuestSpans(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	for _, test := range []struct {
		name  string
		spoil func(*tracepb.Span)
		// refused says that the guest gets an error and that its span is not stored.
		refused bool
		// right checks the stored span.
		right func(query.Span) bool
	}{
		{name: "empty span id", spoil: func(s *tracepb.Span) { s.SpanId = nil }, right: mended},
		{name: "span id of zeros", spoil: func(s *tracepb.Span) { s.SpanId = make([]byte, 8) }, right: mended},
		{name: "empty trace id", spoil: func(s *tracepb.Span) { s.TraceId = nil }, right: mended},
		{name: "trace id of zeros", spoil: func(s *tracepb.Span) { s.TraceId = make([]byte, 16) }, right: mended},
		{name: "both empty", spoil: func(s *tracepb.Span) { s.TraceId, s.SpanId = nil, nil }, right: mended},
		{name: "short trace id", spoil: func(s *tracepb.Span) { s.TraceId = s.TraceId[:8] }, refused: true},
		{name: "long span id", spoil: func(s *tracepb.Span) { s.SpanId = append(s.SpanId, 1) }, refused: true},
		{name: "its own parent", spoil: func(s *tracepb.Span) { s.ParentSpanId = s.SpanId }},
		{name: "never started", spoil: func(s *tracepb.Span) { s.StartTimeUnixNano = 0 }, right: lasting(0)},
		{name: "never ended", spoil: func(s *tracepb.Span) { s.EndTimeUnixNano = 0 }, right: lasting(0)},
		{name: "ended before it began", spoil: func(s *tracepb.Span) { s.EndTimeUnixNano -= 3e9 }, right: lasting(0)},
		{name: "no time at all", spoil: func(s *tracepb.Span) { s.StartTimeUnixNano, s.EndTimeUnixNano = 0, 0 }, right: recent},
		{name: "in microseconds", spoil: inUnits(1e3), right: lasting(10 * time.Millisecond)},
		{name: "in milliseconds", spoil: inUnits(1e6), right: lasting(10 * time.Millisecond)},
		{name: "in seconds", spoil: inUnits(1e9), right: recent},
		{name: "tomorrow", spoil: func(s *tracepb.Span) { s.StartTimeUnixNano += 9 * 3600e9; s.EndTimeUnixNano += 9 * 3600e9 }},
		{name: "last week", spoil: func(s *tracepb.Span) { s.StartTimeUnixNano -= 7 * 86400e9; s.EndTimeUnixNano -= 7 * 86400e9 }},
		{name: "the largest time", spoil: func(s *tracepb.Span) { s.EndTimeUnixNano = 1<<64 - 1 }},
		{name: "a name that is not UTF-8", spoil: func(s *tracepb.Span) { s.Name = "caf" + notUTF8 },
			right: func(s query.Span) bool { return s.Name == "caf"+mendedUTF8 }},
		{name: "an attribute that is not UTF-8", spoil: func(s *tracepb.Span) { s.Attributes = attributes("k", notUTF8, "a"+notUTF8, "v") },
			right: func(s query.Span) bool { return s.Attributes["k"] == mendedUTF8 }},
		{name: "an event that is not UTF-8", spoil: func(s *tracepb.Span) {
			s.Events = []*tracepb.Span_Event{{Name: notUTF8, Attributes: attributes("k", notUTF8)}}
		}},
		{name: "attributes without name or value", spoil: func(s *tracepb.Span) { s.Attributes = attributes("", "nameless", "valueless", nil) }},
		{name: "a link to nothing", spoil: func(s *tracepb.Span) { s.Links = []*tracepb.Span_Link{{}} }},
		{name: "a kind and a status that there are not", spoil: func(s *tracepb.Span) { s.Kind, s.Status = 77, &tracepb.Status{Code: 99} }},
		{name: "140 attributes", spoil: func(s *tracepb.Span) {
			for i := range 140 {
				s.Attributes = append(s.Attributes, attributes(fmt.Sprintf("key.%d", i), i)...)
			}
		}, right: func(s query.Span) bool { return s.Attributes["key.139"] == "139" }},
		{name: "a prompt of 200 KB", spoil: func(s *tracepb.Span) { s.Attributes = attributes("prompt", strings.Repeat("word ", 40000)) },
			right: func(s query.Span) bool { return len(s.Attributes["prompt"]) == 200000 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := l.in(t)
			service := "guest-" + randomID(4)
			odd, _ := newSpan("odd")
			test.spoil(odd)
			var good []string
			for i := range 20 {
				if i == 10 {
					status, answer := l.send("traces", spans(service, odd))
					if refused := status/100 == 4; refused != test.refused || status/100 == 5 {
						t.Errorf("the guest is told %d %s", status, answer)
					}
				}
				span, id := newSpan("good")
				l.mustSend("traces", spans("neighbour", span))
				good = append(good, id)
			}
			l.stores(good)
			if test.refused {
				return
			}
			stored := l.storedSpan(service, odd.TraceId)
			if test.right != nil && !test.right(stored) {
				t.Errorf("stored is %.2000v", stored)
			}
		})
	}
	if lost := l.counter("tempo", `tempo_(discarded_spans_total|receiver_refused_spans)`); lost != 0 {
		t.Errorf("Tempo has discarded %v spans", lost)
	}
	if lost := l.counter("alloy", `otelcol_exporter_(send|enqueue)_failed_spans_total`); lost != 0 {
		t.Errorf("Alloy has given up on %v spans", lost)
	}
}

// storedSpan waits for the only span of a service. It asks by the trace's id, or searches if
// the span had no such id.
func (l *testLab) storedSpan(service string, traceID []byte) (stored query.Span) {
	l.Helper()
	l.eventually("the odd span is stored", func() bool {
		id := hex.EncodeToString(traceID)
		if strings.Trim(id, "0") == "" {
			found, err := l.tempo().Find(l.Context(), `{resource.service.name="`+service+`"}`, time.Now().Add(-time.Hour), time.Now().Add(time.Minute), 2)
			if err != nil || len(found) != 1 {
				return false
			}
			id = found[0].TraceID
		}
		all, err := l.tempo().Trace(l.Context(), id)
		if errors.Is(err, query.ErrNotFound) {
			return false
		}
		if err != nil || len(all) != 1 {
			l.Fatalf("reading the trace: %d spans, %v", len(all), err)
		}
		stored = all[0]
		return true
	})
	return stored
}

func mended(s query.Span) bool { return s.Attributes["lab.mended"] != "" && s.ID != "" }

func recent(s query.Span) bool { return time.Since(s.Start) < time.Minute }

func lasting(d time.Duration) func(query.Span) bool {
	return func(s query.Span) bool { return s.Duration() == d && recent(s) && mended(s) }
}

func inUnits(unit uint64) func(*tracepb.Span) {
	return func(s *tracepb.Span) {
		s.StartTimeUnixNano /= unit
		s.EndTimeUnixNano = s.StartTimeUnixNano + 10e6/unit
	}
}

// stores waits until Tempo has all of these traces.
func (l *testLab) stores(traceIDs []string) {
	l.Helper()
	missing := slices.Clone(traceIDs)
	for end := time.Now().Add(patience); len(missing) > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			l.Errorf("%d of %d traces of the neighbours are not stored", len(missing), len(traceIDs))
			return
		}
		missing = slices.DeleteFunc(missing, func(id string) bool {
			_, err := l.tempo().Trace(l.Context(), id)
			return err == nil
		})
	}
}

// in returns the same lab for a part of the test.
func (l *testLab) in(t *testing.T) *testLab {
	part := *l
	part.T = t
	return &part
}

// A large trace is stored. The part of a trace or an attribute that exceeds the limit is lost
// and counted. Other senders neither wait nor lose data.
func TestGuestLargeTraces(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	large := func(spanCount, attributeBytes int) (*collectortrace.ExportTraceServiceRequest, string) {
		first, id := newSpan("large")
		all := []*tracepb.Span{first}
		for len(all) < spanCount {
			s, _ := newSpan("part")
			s.TraceId, s.ParentSpanId = first.TraceId, first.SpanId
			all = append(all, s)
		}
		for _, s := range all {
			s.Attributes = attributes("text", strings.Repeat("x", attributeBytes))
		}
		return spans("large", all...), id
	}
	neighbours := func() {
		var good []string
		for range 10 {
			span, id := newSpan("good")
			l.mustSend("traces", spans("neighbour", span))
			good = append(good, id)
		}
		l.stores(good)
	}

	request, id := large(70, 100_000)
	l.mustSend("traces", request)
	neighbours()
	l.eventually("the trace of 7 MB is stored whole", func() bool {
		all, err := l.tempo().Trace(t.Context(), id)
		return err == nil && len(all) == 70 && len(all[69].Attributes["text"]) == 100_000
	})

	request, _ = large(1, 15_000_000)
	l.mustSend("traces", request)
	neighbours()
	l.eventually("what Tempo cuts off an attribute is counted", func() bool {
		return l.counter("tempo", `tempo_distributor_attributes_truncated_total`) == 1
	})

	// 262,144 is not a multiple of three.
	odd, id := newSpan("cut")
	odd.Attributes = attributes("text", strings.Repeat("名", 100_000))
	l.mustSend("traces", spans("large", odd))
	neighbours()
	if s := l.storedSpan("large", unhex(id)); !strings.HasPrefix(s.Attributes["text"], strings.Repeat("名", 87_000)) {
		t.Errorf("of an attribute of 300 KB %d bytes are stored", len(s.Attributes["text"]))
	}
	l.eventually("that Tempo cuts off this one is counted, too", func() bool {
		return l.counter("tempo", `tempo_distributor_attributes_truncated_total`) == 2
	})

	request, id = large(75, 250_000)
	for range 2 { // 18 MB each
		for _, s := range request.ResourceSpans[0].ScopeSpans[0].Spans {
			s.SpanId = unhex(randomID(8))
		}
		l.mustSend("traces", request)
	}
	neighbours()
	l.eventually("what is too much of a trace is counted", func() bool {
		return l.counter("tempo", `tempo_discarded_spans_total\{reason="trace_too_large"`) == 75
	})
	if all, err := l.tempo().Trace(t.Context(), id); err != nil || len(all) != 75 {
		t.Errorf("of the trace of 36 MB %d spans are stored, not the first 75: %v", len(all), err)
	}

	request, _ = large(90, 250_000)
	if status, answer := l.send("traces", request); status != http.StatusRequestEntityTooLarge && status != http.StatusBadRequest {
		t.Errorf("a request of 22 MB is answered %d %s", status, answer)
	}
	neighbours()
}
