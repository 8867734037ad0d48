package telemetry

import (
	"bytes"
	"context"
	"testing"

	sdklog "go.opentelemetry.io/otel/sdk/log"
	"go.opentelemetry.io/otel/trace"
)

// TestSamplerFromEnvironment: the standard variables choose the sampler. A line of a trace
// that is not recorded has the trace's id all the same, and says so in its flags.
func TestSamplerFromEnvironment(t *testing.T) {
	parent := func(flags trace.TraceFlags) context.Context {
		return trace.ContextWithRemoteSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
			TraceID: trace.TraceID{1, 15: 1}, SpanID: trace.SpanID{1}, TraceFlags: flags, Remote: true,
		}))
	}
	sampled, dropped := parent(trace.FlagsSampled), parent(0)
	for _, c := range []struct {
		sampler, arg string
		// whether a trace without a parent is recorded, one below a recorded span, and one
		// below a span that is not.
		root, below, belowDropped bool
	}{
		{"", "", true, true, false},
		{"always_on", "", true, true, true},
		{"always_off", "", false, false, false},
		{"parentbased_always_on", "", true, true, false},
		{"parentbased_always_off", "", false, true, false},
		{"parentbased_traceidratio", "0", false, true, false},
		{"parentbased_traceidratio", "1", true, true, false},
		{"traceidratio", "0", false, false, false},
	} {
		t.Run(c.sampler+c.arg, func(t *testing.T) {
			noExporters(t)
			t.Setenv("OTEL_TRACES_SAMPLER", c.sampler)
			t.Setenv("OTEL_TRACES_SAMPLER_ARG", c.arg)
			logs := &logRecorder{}
			tel := start(t, Config{ServiceName: "test", Stdout: &bytes.Buffer{}, LogProcessors: []sdklog.Processor{logs}})
			for name, from := range map[string]struct {
				ctx  context.Context
				want bool
			}{"no parent": {t.Context(), c.root}, "a recorded parent": {sampled, c.below}, "a parent that is not recorded": {dropped, c.belowDropped}} {
				ctx, span := tel.TracerProvider.Tracer("test").Start(from.ctx, "work")
				if got := span.SpanContext().IsSampled(); got != from.want {
					t.Errorf("with %s it is recorded: %v, want %v", name, got, from.want)
				}
				logs.records = nil
				tel.Logger.InfoContext(ctx, "request")
				if record := logs.records[0]; record.TraceID() != span.SpanContext().TraceID() || record.TraceFlags().IsSampled() != from.want {
					t.Errorf("with %s the line has the trace %s and the flags %v", name, record.TraceID(), record.TraceFlags())
				}
				span.End()
			}
		})
	}
}
