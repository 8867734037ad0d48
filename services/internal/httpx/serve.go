package httpx

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel/codes"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
)

// serveLogged is the part of the chain inside the server span: the trace's id on
// the response, http.route on the span, the access log.
func (rt *Router) serveLogged(w http.ResponseWriter, r *http.Request) {
	start := rt.cfg.Now()
	ctx := r.Context()
	if sc := trace.SpanContextFromContext(ctx); sc.HasTraceID() {
		w.Header().Set(HeaderTraceID, sc.TraceID().String())
	}
	rec := &recorder{ResponseWriter: w}
	// Deferred: an aborted response has its line, too.
	defer func() { rt.logAccess(ctx, rec, r, rt.cfg.Now().Sub(start)) }()
	rt.serve(rec, r, rt.mux)
}

// logAccess writes the one line per request. Its message and attributes are what
// the lab's checks and dashboards query.
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

// serve routes r, turns a panic into an error, and renders the error.
func (rt *Router) serve(rec *recorder, r *http.Request, mux *http.ServeMux) {
	err := rt.dispatch(rec, r, mux)
	if err == nil {
		return
	}
	if rec.aborted {
		panic(http.ErrAbortHandler)
	}
	e := asError(r.Context(), err, rt.cfg.Classify)
	// A probe's "not yet" comes every second and is what it is for; only a
	// reason that is an error is worth a line.
	if !rec.probe || e.Err != nil {
		rt.logError(r.Context(), e)
	}
	if rec.status != 0 {
		// The client has read a success already. Cutting the connection is the
		// one way left to tell it that the body is not whole.
		rec.status = e.Status
		rec.aborted = true
		panic(http.ErrAbortHandler)
	}
	if e.Status == StatusClientClosedRequest {
		rec.WriteHeader(e.Status)
		return
	}
	RenderProblem(rec, r, e)
}

// dispatch calls the handler for r and returns its error; a panic is one.
func (rt *Router) dispatch(rec *recorder, r *http.Request, mux *http.ServeMux) (err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			rec.aborted = true
			err = http.ErrAbortHandler
		default:
			err = &panicError{value: p, stack: debug.Stack()}
		}
	}()
	handler, pattern := mux.Handler(r)
	if pattern == "" {
		return unrouted(handler, r)
	}
	if span := trace.SpanFromContext(r.Context()); span.IsRecording() {
		// otelhttp names the span after the route, and puts it on the metrics,
		// but reads the span's attributes before the mux has routed.
		span.SetAttributes(semconv.HTTPRoute(route(pattern)))
	}
	mux.ServeHTTP(rec, r)
	return rec.err
}

// unrouted asks ServeMux's own handler what is wrong with a request that no
// pattern matches, and says it in our words: 405 with Allow, or 404.
func unrouted(handler http.Handler, r *http.Request) error {
	answer := discard{header: http.Header{}}
	handler.ServeHTTP(&answer, r)
	if answer.status == http.StatusMethodNotAllowed {
		e := Errorf(answer.status, "This path does not take the method %s.", r.Method)
		e.Allow = answer.header.Get("Allow")
		return e
	}
	return Errorf(http.StatusNotFound, "There is nothing at this path.")
}

// logError logs an error that is the service's fault, and marks the span and the
// request's metrics with error.type. What a client did wrong is in the access
// log, and in the answer.
func (rt *Router) logError(ctx context.Context, e *Error) {
	if e.Status < 500 {
		return
	}
	var err error = e
	if e.Err != nil {
		err = e.Err
	}
	errorType := semconv.ErrorType(err)
	span := trace.SpanFromContext(ctx)
	span.SetAttributes(errorType)
	span.SetStatus(codes.Error, "")
	if labeler, ok := otelhttp.LabelerFromContext(ctx); ok {
		labeler.Add(errorType)
	}
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

// recorder remembers a response's status, and the handler's error.
type recorder struct {
	http.ResponseWriter
	status  int // 0 until the final header is written
	aborted bool
	probe   bool
	err     error
}

// Status is the response's status; 200 if a handler wrote nothing.
func (rec *recorder) Status() int {
	if rec.status == 0 {
		if rec.aborted {
			return StatusClientClosedRequest
		}
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

// Unwrap lets [http.ResponseController] reach Flush and the deadlines.
func (rec *recorder) Unwrap() http.ResponseWriter { return rec.ResponseWriter }

// discard is a response that nobody reads.
type discard struct {
	header http.Header
	status int
}

func (d *discard) Header() http.Header         { return d.header }
func (d *discard) WriteHeader(status int)      { d.status = status }
func (d *discard) Write(p []byte) (int, error) { return len(p), nil }
