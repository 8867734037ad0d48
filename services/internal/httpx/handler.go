package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// serveLogged runs inside the server span. It adds the trace id to the response, serves
// the request, and writes the access log.
func (rt *Router) serveLogged(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		w.Header().Set(HeaderTraceID, sc.TraceID().String())
		if !sc.IsSampled() {
			w.Header().Set(HeaderTraceSampled, "false")
		}
	}
	rec := &recorder{ResponseWriter: w}
	rt.serve(rec, r, rt.mux)
	rt.logAccess(ctx, rec, r, rt.cfg.Now().Sub(arrived(ctx)))
}

// logAccess writes the request's line in the access log. Checks and dashboards query
// its message and its attributes.
func (rt *Router) logAccess(ctx context.Context, rec *recorder, r *http.Request, took time.Duration) {
	level := slog.LevelInfo
	if rec.Status() >= 500 {
		level = slog.LevelError
	}
	rt.cfg.Telemetry.Logger.LogAttrs(ctx, level, "request",
		slog.String(string(semconv.HTTPRequestMethodKey), r.Method),
		slog.String(string(semconv.HTTPRouteKey), route(r.Pattern)),
		slog.Int(string(semconv.HTTPResponseStatusCodeKey), rec.Status()),
		slog.String(string(semconv.URLPathKey), r.URL.Path),
		slog.Float64("duration_ms", float64(took)/float64(time.Millisecond)),
		slog.String("request_id", RequestID(ctx)),
	)
}

// serve routes r and reports the outcome to the client, in the log, on the span and in
// the metrics.
func (rt *Router) serve(rec *recorder, r *http.Request, mux *http.ServeMux) {
	var failure *Error
	if err := rt.dispatch(rec, r, mux); err != nil {
		failure = asError(r.Context(), err, rt.cfg.Classify)
		rt.fail(rec, r, failure)
	}
	if rec.Status() >= 500 {
		markFailed(r.Context(), rec.Status(), failure)
	}
}

// fail reports a failed request to the client and to the log. If the client has already
// received a success status, fail has the connection cut: the client can tell in no
// other way that the body is incomplete.
func (rt *Router) fail(rec *recorder, r *http.Request, e *Error) {
	// A probe answers "not yet" every second, as it should. It is logged only if an
	// error is the reason.
	if e.Status >= 500 && (!rec.probe || e.Err != nil) {
		rt.logError(r.Context(), e)
	}
	aborted := errors.Is(e, errAborted)
	switch {
	case rec.status != 0:
		aborted = true
	case aborted || e.Status == StatusClientClosedRequest:
		rec.WriteHeader(e.Status) // for the metrics; the client does not receive it
	default:
		RenderProblem(rec, r, e)
	}
	rec.status = e.Status
	if aborted {
		abort(r.Context())
	}
}

// dispatch calls the handler for r and returns its error. A panic becomes an error.
func (rt *Router) dispatch(rec *recorder, r *http.Request, mux *http.ServeMux) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			err = errAborted
		default:
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	handler, pattern := mux.Handler(r)
	if pattern == "" {
		return noRouteError(handler, r)
	}
	if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
		// otelhttp sets the span's attributes before the mux has chosen the route. It
		// takes the route into the span's name and into the metrics, but not into this
		// attribute.
		span.SetAttributes(semconv.HTTPRoute(route(pattern)))
	}
	mux.ServeHTTP(rec, r)
	return rec.err
}

// noRouteError is the error for a request that matches no pattern: 405 with Allow, or
// 404. ServeMux's own handler decides which.
func noRouteError(handler http.Handler, r *http.Request) error {
	answer := discardWriter{header: http.Header{}}
	handler.ServeHTTP(&answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		e := Errorf(answer.status, "This path does not take the method %s.", r.Method)
		e.Allow = answer.header.Get("Allow")
		return e
	}
	return Errorf(http.StatusNotFound, "There is nothing at this path.")
}

// logError logs an error that is the service's fault. A client's mistakes appear only
// in the answer and in the access log.
func (rt *Router) logError(ctx context.Context, e *Error) {
	err := e.cause()
	attrs := []slog.Attr{
		slog.Any("error", err),
		slog.Int(string(semconv.HTTPResponseStatusCodeKey), e.Status),
		slog.String("request_id", RequestID(ctx)),
	}
	if p, ok := errors.AsType[*panicError](err); ok {
		attrs = append(attrs, slog.String(string(semconv.ExceptionStacktraceKey), string(p.stack)))
	}
	rt.cfg.Telemetry.Logger.LogAttrs(ctx, slog.LevelError, "request failed", attrs...)
}

// markFailed sets error.type on the span and in the request's metrics. A handler that
// writes an error status itself, as a proxy does, returns no error; error.type is then
// the status. If an answer breaks off after the status 200 was sent, the metrics have
// that 200 together with error.type.
func markFailed(ctx context.Context, status int, failure *Error) {
	errorType := semconv.ErrorTypeKey.String(strconv.Itoa(status))
	if failure != nil {
		errorType = semconv.ErrorType(failure.cause())
	}
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(errorType)
	span.SetStatus(codes.Error, "")
	if labeler, ok := otelhttp.LabelerFromContext(ctx); ok {
		labeler.Add(errorType)
	}
}

// recorder keeps a response's status and the handler's error.
type recorder struct {
	http.ResponseWriter
	status int // 0 until the final header is written
	probe  bool
	err    error
}

// Status returns the response's status, 200 if the handler wrote nothing.
func (rec *recorder) Status() int {
	if rec.status == 0 {
		return http.StatusOK
	}
	return rec.status
}

// WriteHeader implements [http.ResponseWriter].
func (rec *recorder) WriteHeader(status int) {
	if rec.status == 0 && status >= 200 || status == http.StatusSwitchingProtocols {
		rec.status = status
	}
	rec.ResponseWriter.WriteHeader(status)
}

// Write implements [http.ResponseWriter].
func (rec *recorder) Write(p []byte) (int, error) {
	if rec.status == 0 {
		rec.status = http.StatusOK
	}
	return rec.ResponseWriter.Write(p)
}

// Unwrap gives [http.ResponseController] access to Flush and to the deadlines.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// discardWriter keeps a response's header and status, and drops its body.
type discardWriter struct {
	header http.Header
	status int
}

func (d *discardWriter) Header() http.Header         { return d.header }
func (d *discardWriter) WriteHeader(status int)      { d.status = status }
func (d *discardWriter) Write(p []byte) (int, error) { return len(p), nil }
