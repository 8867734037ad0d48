package telemetry

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"go.opentelemetry.io/otel"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// newStdoutHandler writes JSON lines with service.name, and with trace_id and
// span_id where the context has a span.
func newStdoutHandler(w io.Writer, level slog.Leveler, service string) slog.Handler {
	json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}).
		WithAttrs([]slog.Attr{slog.String(string(semconv.ServiceNameKey), service)})
	return traceHandler{root: json, Handler: json}
}

// traceHandler adds trace_id and span_id to records. They belong to the top of
// the line also for a logger with an open group, so the handler remembers how it
// was derived and, for such a logger, derives anew below the two attributes.
type traceHandler struct {
	slog.Handler
	root    slog.Handler
	grouped bool
	derive  []func(slog.Handler) slog.Handler
}

func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	sc := trace.SpanContextFromContext(ctx)
	if !sc.IsValid() {
		return h.Handler.Handle(ctx, r)
	}
	ids := []slog.Attr{slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String())}
	if !h.grouped {
		r = r.Clone()
		r.AddAttrs(ids...)
		return h.Handler.Handle(ctx, r)
	}
	next := h.root.WithAttrs(ids)
	for _, derive := range h.derive {
		next = derive(next)
	}
	return next.Handle(ctx, r)
}

func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return h.with(h.grouped, func(next slog.Handler) slog.Handler { return next.WithAttrs(attrs) })
}

func (h traceHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(true, func(next slog.Handler) slog.Handler { return next.WithGroup(name) })
}

func (h traceHandler) with(grouped bool, derive func(slog.Handler) slog.Handler) slog.Handler {
	return traceHandler{
		Handler: derive(h.Handler),
		root:    h.root,
		grouped: grouped,
		derive:  append(slices.Clip(h.derive), derive),
	}
}

// levelHandler drops records below level; otelslog's handler has no level of
// its own and would export debug records that stdout does not show.
type levelHandler struct {
	slog.Handler
	level slog.Leveler
}

func (h levelHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= h.level.Level() && h.Handler.Enabled(ctx, level)
}

func (h levelHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return levelHandler{Handler: h.Handler.WithAttrs(attrs), level: h.level}
}

func (h levelHandler) WithGroup(name string) slog.Handler {
	return levelHandler{Handler: h.Handler.WithGroup(name), level: h.level}
}

// logSDKProblems sends what OpenTelemetry has to say about itself (an export
// that failed, a queue that overflowed) to stdout only: sent over OTLP, a failed
// export would make the next record to export.
func logSDKProblems(stdout slog.Handler) {
	h := &sdkLogHandler{next: stdout, every: sdkLogInterval, now: time.Now}
	otel.SetLogger(logr.FromSlogHandler(h))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		r := slog.NewRecord(h.now(), slog.LevelWarn, "telemetry problem", 0)
		r.AddAttrs(slog.Any("error", err))
		// An error of the last resort's writer has nowhere to go.
		_ = h.Handle(context.Background(), r)
	}))
}

// sdkLogInterval is the least time between two lines about telemetry itself.
// A receiver that is away fails three exports a second.
const sdkLogInterval = 10 * time.Second

// sdkLogHandler lets one record pass in each interval, and counts the others
// into the next one's "suppressed".
type sdkLogHandler struct {
	next  slog.Handler
	every time.Duration
	now   func() time.Time

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

// levelSDKWarning is how the SDK's logr verbosity 1, its warnings, arrives;
// verbosity 4 and above (info, debug) is below it.
const levelSDKWarning = slog.Level(-1)

func (h *sdkLogHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= levelSDKWarning
}

func (h *sdkLogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.mu.Lock()
	now := h.now()
	if !h.last.IsZero() && now.Sub(h.last) < h.every {
		h.suppressed++
		h.mu.Unlock()
		return nil
	}
	suppressed := h.suppressed
	h.last, h.suppressed = now, 0
	h.mu.Unlock()

	r = r.Clone()
	r.Level = max(r.Level, slog.LevelWarn)
	if suppressed > 0 {
		r.AddAttrs(slog.Int("suppressed", suppressed))
	}
	return h.next.Handle(ctx, r)
}

// WithAttrs and WithGroup keep the one rate limit; the SDK's internal logger
// does not use them, so what they would add is left out.
func (h *sdkLogHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup: see WithAttrs.
func (h *sdkLogHandler) WithGroup(string) slog.Handler { return h }
