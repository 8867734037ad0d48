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

// newStdoutHandler returns a handler that writes JSON lines. Each line has
// service.name, and trace_id and span_id if the context has a span.
func newStdoutHandler(w io.Writer, level slog.Leveler, service string) slog.Handler {
	json := slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level}).
		WithAttrs([]slog.Attr{slog.String(string(semconv.ServiceNameKey), service)})
	return traceHandler{root: json, Handler: json}
}

// traceHandler adds trace_id and span_id to records. Both must stand at the top level
// of a line, even if the logger has an open group. For such a logger the handler
// therefore repeats all With calls on a root that has the two attributes.
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

// levelHandler drops records below level. otelslog's handler has no level of its own,
// and would export debug records that stdout does not show.
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

// logSDKProblems writes OpenTelemetry's own problems, such as a failed export or a full
// queue, to stdout. It does not send them over OTLP: each failed export would cause
// another record to export.
func logSDKProblems(stdout slog.Handler) {
	h := &sdkLogHandler{next: stdout, every: sdkLogInterval, now: time.Now}
	otel.SetLogger(logr.FromSlogHandler(h))
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		r := slog.NewRecord(h.now(), slog.LevelWarn, "telemetry problem", 0)
		r.AddAttrs(slog.Any("error", err))
		// An error of writing to stdout cannot be reported anywhere.
		_ = h.Handle(context.Background(), r)
	}))
}

// sdkLogInterval is the shortest time between two lines about telemetry itself. While a
// receiver is away, three exports may fail every second.
const sdkLogInterval = 10 * time.Second

// sdkLogHandler lets one record pass per interval. It counts the others, and adds their
// number to the next record as "suppressed".
type sdkLogHandler struct {
	next  slog.Handler
	every time.Duration
	now   func() time.Time

	mu         sync.Mutex
	last       time.Time
	suppressed int
}

// levelSDKWarning is the level of the SDK's warnings, which have logr's verbosity 1.
// Info and debug messages have verbosity 4 and above, and so a lower level.
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

// WithAttrs returns h itself, so that all loggers share one rate limit. It may leave
// the attributes out, because the SDK's internal logger uses neither WithAttrs nor
// WithGroup.
func (h *sdkLogHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup returns h itself, for the reason given at WithAttrs.
func (h *sdkLogHandler) WithGroup(string) slog.Handler { return h }
