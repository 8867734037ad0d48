package e2e

import (
	"strings"
	"testing"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	metricspb "go.opentelemetry.io/proto/otlp/metrics/v1"
	resourcepb "go.opentelemetry.io/proto/otlp/resource/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"
)

// nested returns a list within a list, or a map within a map, of that many levels.
func nested(levels int, maps bool) *commonpb.AnyValue {
	value := anyValue("innermost")
	for range levels {
		if maps {
			value = &commonpb.AnyValue{Value: &commonpb.AnyValue_KvlistValue{KvlistValue: &commonpb.KeyValueList{Values: []*commonpb.KeyValue{{Key: "k", Value: value}}}}}
		} else {
			value = &commonpb.AnyValue{Value: &commonpb.AnyValue_ArrayValue{ArrayValue: &commonpb.ArrayValue{Values: []*commonpb.AnyValue{value}}}}
		}
	}
	return value
}

// Values of a hundred thousand levels, which cost a store minutes or its memory: the item that
// has one is stored, or left out and counted, and its neighbours are stored as soon as usual.
func TestGuestDeepValues(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	const levels = 100_000
	for name, deep := range map[string]*commonpb.AnyValue{"lists": nested(levels, false), "maps": nested(levels, true)} {
		t.Run(name, func(t *testing.T) {
			l := l.in(t)
			attribute := []*commonpb.KeyValue{{Key: "deep", Value: deep}}
			run := name + "-" + randomID(4)
			sender := func() *resourcepb.Resource { return resource("deep-" + run) }
			deepSender := sender()
			deepSender.Attributes = append(deepSender.Attributes, attribute...)

			for _, change := range []func(*tracepb.ResourceSpans, *tracepb.Span){
				func(_ *tracepb.ResourceSpans, s *tracepb.Span) { s.Attributes = attribute },
				func(_ *tracepb.ResourceSpans, s *tracepb.Span) {
					s.Events = []*tracepb.Span_Event{{Name: "e", Attributes: attribute}}
				},
				func(from *tracepb.ResourceSpans, _ *tracepb.Span) { from.Resource = deepSender },
				func(from *tracepb.ResourceSpans, _ *tracepb.Span) {
					from.ScopeSpans[0].Scope = &commonpb.InstrumentationScope{Name: "deep", Attributes: attribute}
				},
			} {
				span, id := newSpan("deep")
				request := spans("deep-"+run, span)
				change(request.ResourceSpans[0], span)
				l.mustSend("traces", request)
				l.storedSpan("", unhex(id))
			}
			beside, id := newSpan("beside")
			l.mustSend("traces", spans("beside-"+run, beside))
			l.storedSpan("", unhex(id))

			// A record with so long an attribute is left out, and counted.
			const left = "otelcol_processor_filter_logs_filtered"
			before := l.counter("alloy", left)
			record := logRecord("of the record", nil)
			record.Attributes = attribute
			body := logRecord("", nil)
			body.Body = deep
			l.sendLogs(logsFrom(sender(), record, body), logsFrom(deepSender, logRecord("of the resource", nil)), logsFrom(resource("beside-"+run), logRecord("x", nil)))
			l.line(`{service_name="beside-` + run + `"}`)
			l.line(`{service_name="deep-` + run + `"} |= "innermost"`)
			l.line(`{service_name="deep-` + run + `"} |= "of the resource"`)
			if n := l.counter("alloy", left) - before; n != 1 {
				t.Errorf("%v records are counted as left out, want 1", n)
			}

			p := point(1)
			p.Attributes = attribute
			l.mustSend("metrics", export(sender(), gauge("deep_"+name, p), gauge("beside_"+name, point(1))))
			l.mustSend("metrics", export(deepSender, &metricspb.Metric{Name: "of_resource_" + name, Data: gauge("", point(1)).Data}))
			l.has("beside_"+name, 1, 1)
			l.has("deep_"+name, 1, 1)
			l.has("of_resource_"+name, 1, 1)
		})
	}
	l.nothingRefused()
	l.eventually("Alloy's queues are empty", func() bool { return l.counter("alloy", "otelcol_exporter_queue_size") == 0 })
}

// A span keeps the types of its attributes, unless these have a hundred lists and maps.
func TestGuestListsAndMaps(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	for name, test := range map[string]struct {
		value  *commonpb.AnyValue
		mended bool
	}{
		"a list of a list": {nested(2, false), false},
		"JSON as a text":   {anyValue(strings.Repeat(`{"a":[{"b":"[["}]}`, 100)), false},
		"90 levels":        {nested(90, true), false},
		"a long text":      {anyValue(strings.Repeat("x", 2000)), false},
		"200 levels":       {nested(200, false), true},
		"300 levels":       {nested(300, true), true},
	} {
		t.Run(name, func(t *testing.T) {
			l := l.in(t)
			span, id := newSpan("nested")
			span.Attributes = append(attributes("number", 7), &commonpb.KeyValue{Key: "filler", Value: anyValue(strings.Repeat("y", 600))}, &commonpb.KeyValue{Key: "value", Value: test.value})
			l.mustSend("traces", spans("nested", span))
			stored := l.storedSpan("", unhex(id))
			if mended := stored.Attributes["lab.mended"] == "lists and maps"; mended != test.mended {
				t.Errorf("mended: %v, want %v; %.300v", mended, test.mended, stored.Attributes)
			}
		})
	}
}
