package httpx

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/semconv/v1.43.0/httpconv"
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
	mux      *http.ServeMux
	log      *slog.Logger
	now      func() time.Time
	server   []attribute.KeyValue
	duration httpconv.ServerRequestDuration
	counter  metric.Int64Counter
	// sets are the attributes of rejected requests by what they depend on. There are few,
	// because a client chooses none of their values.
	sets sync.Map // of rejectedKind to attribute.Set

	rejected atomic.Int64
	lastLog  atomic.Int64 // when the last line was logged, in Unix nanoseconds
}

// rejectedKind is what the attributes of a rejected request depend on.
type rejectedKind struct {
	method, pattern string
	major, minor    int
	why             rejection
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
	// The instrument is otelhttp's own, because scope, name and buckets are.
	duration, err := httpconv.NewServerRequestDuration(
		cfg.Telemetry.MeterProvider.Meter(otelhttp.ScopeName, metric.WithInstrumentationVersion(otelhttp.Version)),
		metric.WithExplicitBucketBoundaries(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10))
	if err != nil {
		otel.Handle(err)
	}
	rj := &rejecter{mux: mux, log: cfg.Telemetry.Logger, now: cfg.Now, counter: counter, duration: duration}
	if host, port, err := net.SplitHostPort(cfg.ServerName); err == nil {
		rj.server = append(rj.server, semconv.ServerAddress(host))
		if n, err := strconv.Atoi(port); err == nil && n != 80 { // otelhttp leaves out the scheme's own
			rj.server = append(rj.server, semconv.ServerPort(n))
		}
	} else if cfg.ServerName != "" {
		rj.server = append(rj.server, semconv.ServerAddress(cfg.ServerName))
	}
	return rj
}

// reject answers one request. A client that has disconnected gets no answer, and is
// counted as such.
func (rj *rejecter) reject(w http.ResponseWriter, r *http.Request, req *request) {
	e := &Error{Status: StatusClientClosedRequest, Err: req.rejected}
	if req.rejected == rejectedGone {
		w.WriteHeader(e.Status)
	} else {
		e.Status, e.Detail, e.RetryAfter = http.StatusServiceUnavailable, "The service has too many requests. Try again later.", retryAfter
		RenderProblem(w, r, e)
		rj.counter.Add(r.Context(), 1, metric.WithAttributeSet(attribute.NewSet(semconv.ErrorType(req.rejected))))
		rj.logSometimes(r.Context())
	}
	rj.duration.Inst().Record(r.Context(), rj.now().Sub(req.arrived).Seconds(), metric.WithAttributeSet(rj.attributes(r, e, req.rejected)))
}

// attributes are those that otelhttp gives a request.
func (rj *rejecter) attributes(r *http.Request, e *Error, why rejection) attribute.Set {
	_, pattern := rj.mux.Handler(r)
	kind := rejectedKind{method: standardMethod(r.Method), pattern: pattern, major: r.ProtoMajor, minor: r.ProtoMinor, why: why}
	if set, ok := rj.sets.Load(kind); ok {
		return set.(attribute.Set)
	}
	attrs := append(slices.Clip(rj.server),
		semconv.HTTPRequestMethodKey.String(kind.method), semconv.URLScheme("http"), semconv.NetworkProtocolName("http"),
		semconv.NetworkProtocolVersion(strconv.Itoa(r.ProtoMajor)+"."+strconv.Itoa(r.ProtoMinor)), semconv.HTTPResponseStatusCode(e.Status))
	if pattern != "" {
		attrs = append(attrs, semconv.HTTPRoute(route(pattern)))
	}
	if e.Status >= 500 {
		attrs = append(attrs, semconv.ErrorType(kind.why))
	}
	set := attribute.NewSet(attrs...)
	rj.sets.Store(kind, set)
	return set
}

// standardMethod is the method, or _OTHER for one that a client has made up.
func standardMethod(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete,
		http.MethodConnect, http.MethodOptions, http.MethodTrace:
		return method
	}
	return "_OTHER"
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
