package httpx

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
)

// A burst waits for its turn; a queue that stands is cut short, so that those who are
// admitted have not waited long.
func TestAdmissionWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(2)
		ctx := t.Context()
		for range 2 {
			if why := a.enter(ctx); why != "" {
				t.Fatalf("a free slot: %v", why)
			}
		}
		// A burst: the first waits, and gets the slot of the first that ends.
		admitted := make(chan rejection)
		go func() { admitted <- a.enter(ctx) }()
		time.Sleep(maxWait - time.Millisecond)
		a.leave()
		if why := <-admitted; why != "" {
			t.Errorf("a slot became free in time: %v", why)
		}
		// No slot becomes free.
		began := time.Now()
		if why := a.enter(ctx); why != rejectedQueueTimeout || time.Since(began) != maxWait {
			t.Errorf("after %v: %q", time.Since(began), why)
		}
		// A queue that stands: with always one waiting, later ones wait less.
		var others sync.WaitGroup
		for i := range 6 {
			others.Go(func() {
				time.Sleep(time.Duration(i) * maxWait / 5)
				_ = a.enter(ctx)
			})
		}
		time.Sleep(maxWait + maxWait/10 + time.Millisecond)
		began = time.Now()
		if why := a.enter(ctx); why != rejectedQueueTimeout || time.Since(began) != standingWait {
			t.Errorf("in a standing queue, after %v: %q", time.Since(began), why)
		}
		others.Wait()
	})
}

func TestAdmissionBoundsItsQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAdmission(1)
		_ = a.enter(t.Context())
		var full, late int
		var mu sync.Mutex
		var all sync.WaitGroup
		for range queueFactor + 3 {
			all.Go(func() {
				why := a.enter(t.Context())
				mu.Lock()
				defer mu.Unlock()
				switch why {
				case rejectedQueueFull:
					full++
				case rejectedQueueTimeout:
					late++
				}
			})
		}
		all.Wait()
		if full != 3 || late != queueFactor {
			t.Errorf("%d found the queue full, %d waited in vain; want 3 and %d", full, late, queueFactor)
		}
		if n := a.waiting.Load(); n != 0 {
			t.Errorf("%d still wait", n)
		}
		// Whoever leaves early is told apart by the cause.
		for cause, want := range map[error]rejection{errDeadline: rejectedDeadline, errors.New("gone"): rejectedGone} {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Millisecond, cause)
			if why := a.enter(ctx); why != want {
				t.Errorf("%v: %q, want %q", cause, why, want)
			}
			cancel()
		}
	})
}

// full is a router all of whose places are taken, with a queue that is full, too.
func full(t *testing.T) (l *harness, release func()) {
	l = newHarness(t, RouterConfig{MaxInFlight: 1, ServerName: "test:8080"})
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	l.Handle("GET /held/{id}", func(w http.ResponseWriter, _ *http.Request) error {
		entered <- struct{}{}
		<-hold
		return WriteJSON(w, http.StatusOK, "done")
	})
	l.Handle("POST /things", func(w http.ResponseWriter, r *http.Request) error {
		var got thing
		if err := DecodeJSON(w, r, &got); err != nil {
			return err
		}
		return WriteJSON(w, http.StatusCreated, got)
	})
	l.Probe("GET /health", Health)
	l.Probe("GET /ready", NewReadiness(nil).Probe)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		l.do(httptest.NewRequest("GET", "/held/1", nil))
	}()
	<-entered
	l.admission.waiting.Store(queueFactor)
	return l, func() { l.admission.waiting.Store(0); close(hold); <-ended }
}

// A request over the bound is answered with a problem, is counted, and leaves neither a
// span nor a line in the access log. Probes are answered.
func TestRequestsOverTheBoundAreRejected(t *testing.T) {
	l, release := full(t)
	for range 2 {
		req := httptest.NewRequest("GET", "/held/2", nil)
		req.Header.Set(HeaderRequestID, "me-1")
		req.Header.Set("Traceparent", "00-11111111111111111111111111111111-2222222222222222-01")
		res, aborted := l.do(req)
		if res.Code != http.StatusServiceUnavailable || res.Header().Get("Retry-After") != "1" || aborted {
			t.Fatalf("= %d, Retry-After %q, aborted %v", res.Code, res.Header().Get("Retry-After"), aborted)
		}
		if p := problem(t, res); p.Status != res.Code || p.RequestID != "me-1" || p.Detail == "" || p.TraceID != "" {
			t.Errorf("the problem is %+v", p)
		}
	}
	for _, path := range []string{"/health", "/ready"} {
		if res, _ := l.do(httptest.NewRequest("GET", path, nil)); res.Code != http.StatusOK {
			t.Errorf("%s = %d", path, res.Code)
		}
	}
	release()
	if res, _ := l.do(httptest.NewRequest("POST", "/things", strings.NewReader("{}"))); res.Code != http.StatusUnsupportedMediaType {
		t.Errorf("with places free: %d", res.Code)
	}
	if n := len(l.spans.Ended()); n != 2 {
		t.Errorf("%d spans, want 2", n)
	}
	if n := len(l.logged(t, "request")); n != 2 {
		t.Errorf("%d lines in the access log, want 2", n)
	}
	if lines := l.logged(t, "requests rejected"); len(lines) != 1 || lines[0]["count"] != 1.0 {
		t.Errorf("logged %v", lines)
	}
	if n := l.rejections(t)["queue_full"]; n != 2 {
		t.Errorf("%d rejections counted, want 2", n)
	}
	var counted, served uint64
	keys := map[int64]string{}
	for _, point := range l.durations(t) {
		route, _ := point.Attributes.Value(semconv.HTTPRouteKey)
		status, _ := point.Attributes.Value(semconv.HTTPResponseStatusCodeKey)
		if why, _ := point.Attributes.Value(semconv.ErrorTypeKey); status.AsInt64() == 503 && route.AsString() == "/held/{id}" && why.AsString() == "queue_full" {
			counted += point.Count
		}
		if status.AsInt64() == 200 {
			served += point.Count
		}
		var names []string
		for _, a := range point.Attributes.ToSlice() {
			if a.Key != semconv.ErrorTypeKey {
				names = append(names, string(a.Key))
			}
		}
		if route.AsString() == "/held/{id}" {
			keys[status.AsInt64()] = strings.Join(names, " ")
		}
	}
	if keys[200] != keys[503] {
		t.Errorf("served requests have the attributes %s, rejected ones %s", keys[200], keys[503])
	}
	if served != 1 {
		t.Errorf("%d of 1 served requests are in the histogram of the rejected ones", served)
	}
	if counted != 2 {
		t.Errorf("%d of 2 rejected requests are in http.server.request.duration", counted)
	}
}

// rejections returns http.server.request.rejected by error.type.
func (l *harness) rejections(t *testing.T) map[string]int64 {
	t.Helper()
	var all metricdata.ResourceMetrics
	if err := l.reader.Collect(t.Context(), &all); err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for _, scope := range all.ScopeMetrics {
		for _, m := range scope.Metrics {
			if m.Name == "http.server.request.rejected" {
				for _, point := range m.Data.(metricdata.Sum[int64]).DataPoints {
					why, _ := point.Attributes.Value(semconv.ErrorTypeKey)
					found[why.AsString()] = point.Value
				}
			}
		}
	}
	return found
}

// The counter is there before the first rejection, so that the first one is an increase.
func TestRejectionsAreCountedFromZero(t *testing.T) {
	got := newHarness(t, RouterConfig{}).rejections(t)
	for _, why := range []string{"queue_full", "queue_timeout"} {
		if n, ok := got[why]; !ok || n != 0 {
			t.Errorf("%s = %d, %v", why, n, ok)
		}
	}
}

// The time that a request waited is part of its span and of its duration.
func TestWaitIsPartOfTheDuration(t *testing.T) {
	l, release := full(t)
	l.admission.waiting.Store(0)
	const wait = 30 * time.Millisecond
	go func() { // on a busy machine the request arrives late
		for l.admission.waiting.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		time.Sleep(wait)
		release()
	}()
	req := httptest.NewRequest("POST", "/things", strings.NewReader(`{"name":"a"}`))
	req.Header.Set("Content-Type", "application/json")
	if res, _ := l.do(req); res.Code != http.StatusCreated {
		t.Fatalf("= %d %s", res.Code, res.Body)
	}
	for _, span := range l.spans.Ended() {
		if took := span.EndTime().Sub(span.StartTime()); span.Name() == "POST /things" && took < wait {
			t.Errorf("the span took %v", took)
		}
	}
	for _, line := range l.logged(t, "request") {
		if line["http.route"] == "/things" && line["duration_ms"].(float64) < float64(wait.Milliseconds()) {
			t.Errorf("the log says %v ms", line["duration_ms"])
		}
	}
}

// A client that sends its body slowly occupies no place.
func TestSlowBodiesOccupyNoPlace(t *testing.T) {
	l := newHarness(t, RouterConfig{MaxInFlight: 1, Timeout: 5 * time.Second})
	l.Handle("POST /things", func(w http.ResponseWriter, r *http.Request) error {
		_, err := ReadBody(w, r)
		return err
	})
	l.Handle("GET /quick", func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 200, "quick") })
	server := runServer(t, l, ServerConfig{})
	for range 3 {
		conn, err := net.Dial("tcp", server.addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := conn.Write([]byte("POST /things HTTP/1.1\r\nHost: test\r\nContent-Length: 20\r\n\r\n{")); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(20 * time.Millisecond) // they are being read
	res, err := http.Get("http://" + server.addr + "/quick")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("beside slow clients: %s", res.Status)
	}
}

func TestMaxInFlight(t *testing.T) {
	for text, want := range map[string]int{"": 7, "1": 1, "500": 500, "0": 0, "-1": 0, "many": 0, "1.5": 0} {
		got, err := MaxInFlight(func(string) string { return text }, 7)
		if got != want || (err == nil) != (want > 0) {
			t.Errorf("%q = %d, %v; want %d", text, got, err, want)
		}
	}
}
