package httpx

import (
	"context"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/propagation"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	tracenoop "go.opentelemetry.io/otel/trace/noop"
)

// scope is the instrumentation scope of the router's own metric.
const scope = "github.com/lgtm-lab/lgtm-lab/services/internal/httpx"

// rejectLogInterval is the shortest time between two log lines about rejections.
const rejectLogInterval = 10 * time.Second

// rejecter answers requests that are not admitted. They are counted in
// http.server.request.duration like all requests, and in http.server.request.rejected.
// They leave no span and no line in the access log: a service has too much to do
// already, and so has all that receives its telemetry.
type rejecter struct {
	http.Handler
	mux     *http.ServeMux
	log     *slog.Logger
	now     func() time.Time
	counter metric.Int64Counter

	rejected atomic.Int64
	lastLog  atomic.Int64 // when the last line was logged, in Unix nanoseconds
}

func newRejecter(mux *http.ServeMux, cfg RouterConfig) *rejecter {
	counter, err := cfg.Telemetry.MeterProvider.Meter(scope).Int64Counter("http.server.request.rejected",
		metric.WithUnit("{request}"),
		metric.WithDescription("Requests that were answered with 503 because too many were in flight."))
	if err != nil {
		otel.Handle(err) // the name and the unit are constants; the counter works all the same
	}
	// Without these the first rejections would begin the series, and would not count as
	// an increase.
	for _, why := range []rejection{rejectedQueueFull, rejectedQueueTimeout} {
		counter.Add(context.Background(), 0, metric.WithAttributes(semconv.ErrorType(why)))
	}
	rj := &rejecter{mux: mux, log: cfg.Telemetry.Logger, now: cfg.Now, counter: counter}
	opts := []otelhttp.Option{
		otelhttp.WithTracerProvider(tracenoop.NewTracerProvider()),
		otelhttp.WithPropagators(propagation.NewCompositeTextMapPropagator()),
		otelhttp.WithMeterProvider(cfg.Telemetry.MeterProvider),
	}
	if cfg.ServerName != "" {
		opts = append(opts, otelhttp.WithServerName(cfg.ServerName))
	}
	rj.Handler = otelhttp.NewHandler(http.HandlerFunc(rj.serve), "request", opts...)
	return rj
}

// serve answers one request. A client that has disconnected gets no answer, and is
// counted as such.
func (rj *rejecter) serve(w http.ResponseWriter, r *http.Request) {
	_, r.Pattern = rj.mux.Handler(r) // otelhttp takes the route from it
	why := r.Context().Value(requestKey{}).(*request).rejected
	if why == rejectedGone {
		w.WriteHeader(StatusClientClosedRequest)
		return
	}
	e := &Error{
		Status: http.StatusServiceUnavailable, Detail: "The service has too many requests. Try again later.",
		RetryAfter: retryAfter, Err: why,
	}
	RenderProblem(w, r, e)
	markFailed(r.Context(), e.Status, e)
	rj.counter.Add(r.Context(), 1, metric.WithAttributes(semconv.ErrorType(why)))
	rj.logSometimes(r.Context())
}

// logSometimes logs the first rejection at once, and then says every ten seconds at most
// how many there were.
func (rj *rejecter) logSometimes(ctx context.Context) {
	rj.rejected.Add(1)
	now, last := rj.now().UnixNano(), rj.lastLog.Load()
	if time.Duration(now-last) < rejectLogInterval || !rj.lastLog.CompareAndSwap(last, now) {
		return
	}
	rj.log.LogAttrs(ctx, slog.LevelWarn, "requests rejected", slog.Int64("count", rj.rejected.Swap(0)))
}
