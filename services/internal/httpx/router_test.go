package httpx

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"
)

var errTeapot = errors.New("secret: teapot at 10.0.0.7")

// typed has its own error.type, and a message that must not reach the client.
type typed struct{}

func (typed) Error() string     { return "secret: password wrong" }
func (typed) ErrorType() string { return "wrong_password" }

// Each way in which a handler can end, and what it does to the answer, the log and the
// trace.
func TestHandlerOutcomes(t *testing.T) {
	tests := []struct {
		name, method, path string
		handler            HandlerFunc
		gone               bool // the client disconnects before the handler returns
		status             int  // in the log
		sent               int  // on the span and in the metrics; 0 if it is the same
		written            bool // by the handler, so that there is no problem document
		detail             string
		header             map[string]string
		logged             string // "error" of the line "request failed"; "" if there must be no such line
		errorType          string
		aborted            bool
	}{
		{name: "nothing written", handler: func(http.ResponseWriter, *http.Request) error { return nil }, status: 200},
		{name: "json", handler: func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 201, 1) }, status: 201},
		{name: "client's mistake", handler: fails(Errorf(422, "No %s.", "good")), status: 422, detail: "No good."},
		{name: "wrapped", handler: fails(fmt.Errorf("deep: %w", Errorf(409, "Taken."))), status: 409, detail: "Taken."},
		{name: "retry", handler: fails(&Error{Status: 503, Detail: "Busy.", RetryAfter: 1500 * time.Millisecond, Err: typed{}}),
			status: 503, detail: "Busy.", header: map[string]string{"Retry-After": "2"}, logged: "secret: password wrong", errorType: "wrong_password"},
		{name: "classified", handler: fails(fmt.Errorf("brewing: %w", errTeapot)), status: 418, detail: "Short and stout."},
		{name: "unknown", handler: fails(typed{}), status: 500, logged: "secret: password wrong", errorType: "wrong_password"},
		{name: "no error status", handler: fails(&Error{Status: 200}), status: 500, logged: "200 OK", errorType: "200"},
		{name: "marshalling fails", handler: func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 200, func() {}) },
			status: 500, logged: "json: unsupported type: func()", errorType: "*json.UnsupportedTypeError"},
		{name: "panic", handler: func(http.ResponseWriter, *http.Request) error { panic("secret") },
			status: 500, logged: "panic: secret", errorType: "panic"},
		{name: "panic with a classified error", handler: func(http.ResponseWriter, *http.Request) error { panic(errTeapot) },
			status: 500, logged: "panic: " + errTeapot.Error(), errorType: "panic"},
		{name: "not found", path: "/nowhere", status: 404, detail: "There is nothing at this path."},
		{name: "wrong method", method: "PATCH", status: 405, detail: "This path does not take the method PATCH.",
			header: map[string]string{"Allow": "GET, HEAD"}},
		{name: "client gone", gone: true, handler: func(_ http.ResponseWriter, r *http.Request) error { return r.Context().Err() }, status: 499},
		{name: "client gone, but served", gone: true, handler: func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 200, 1) }, status: 200},
		{name: "client gone, panic", gone: true, handler: func(http.ResponseWriter, *http.Request) error { panic("secret") },
			status: 500, logged: "panic: secret", errorType: "panic"},
		{name: "too slow", handler: func(_ http.ResponseWriter, r *http.Request) error { <-r.Context().Done(); return r.Context().Err() },
			status: 503, detail: "The request took too long and was given up.", header: map[string]string{"Retry-After": "1"},
			logged: "context deadline exceeded", errorType: "context.deadlineExceededError"},
		{name: "written by the handler", handler: func(w http.ResponseWriter, _ *http.Request) error { w.WriteHeader(502); return nil },
			status: 502, errorType: "502", written: true},
		{name: "abort", handler: func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) },
			status: 500, logged: errAborted.Error(), errorType: "aborted", aborted: true},
		{name: "abort after the first byte", handler: func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.Write([]byte("half a"))
			panic(http.ErrAbortHandler)
		}, status: 500, sent: 200, logged: errAborted.Error(), errorType: "aborted", aborted: true},
		{name: "client gone, abort", gone: true, handler: func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.Write([]byte("half a"))
			panic(http.ErrAbortHandler)
		}, status: 499, sent: 200, aborted: true},
		{name: "error after the first byte", handler: func(w http.ResponseWriter, _ *http.Request) error {
			_, _ = w.Write([]byte("half a"))
			return typed{}
		}, status: 500, sent: 200, logged: "secret: password wrong", errorType: "wrong_password", aborted: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			timeout := time.Minute
			if tt.name == "too slow" {
				timeout = 30 * time.Millisecond
			}
			l := newHarness(t, RouterConfig{Timeout: timeout, Classify: func(err error) *Error {
				if errors.Is(err, errTeapot) {
					return Errorf(418, "Short and stout.")
				}
				return nil
			}})
			if tt.handler == nil {
				tt.handler = fails(errors.New("must not be reached"))
			}
			l.Handle("GET /things/{id}", tt.handler)
			method, path := cmp.Or(tt.method, "GET"), cmp.Or(tt.path, "/things/7")
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if tt.gone {
				cancel()
			}
			res, aborted := l.do(httptest.NewRequestWithContext(ctx, method, path, nil))

			if aborted != tt.aborted {
				t.Fatalf("aborted = %v, want %v", aborted, tt.aborted)
			}
			body := res.Body.String()
			if strings.Contains(body, "secret") {
				t.Errorf("the answer contains %q", body)
			}
			if !aborted && res.Code != tt.status {
				t.Errorf("status %d, want %d", res.Code, tt.status)
			}
			for name, want := range tt.header {
				if got := res.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if tt.status >= 400 && tt.status != 499 && !aborted && !tt.written {
				wantProblem(t, l, res, tt.status, path, tt.detail)
			}
			wantFailureLogged(t, l, tt.logged)
			wantAccessLine(t, l, method, path, tt.status)
			wantSpan(t, l, tt.status, cmp.Or(tt.sent, tt.status), tt.errorType)
		})
	}
}

func fails(err error) HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) error {
		w.Header().Set("Location", "/success") // must not survive the error
		return err
	}
}

func wantProblem(t *testing.T, l *harness, res *httptest.ResponseRecorder, status int, path, detail string) {
	t.Helper()
	p := problem(t, res)
	span := l.spans.Ended()[0].SpanContext()
	title := http.StatusText(status)
	if p.Type != "about:blank" || p.Title != title || p.Status != status || p.Detail != detail || p.Instance != path ||
		p.RequestID != res.Header().Get(HeaderRequestID) || p.TraceID != span.TraceID().String() {
		t.Errorf("problem is %+v, want %d %q %q at %s, with the request's ids", p, status, title, detail, path)
	}
	if got := res.Header().Get("Location"); got != "" {
		t.Errorf("an error has the Location %q", got)
	}
}

func wantFailureLogged(t *testing.T, l *harness, want string) {
	t.Helper()
	lines := l.logged(t, "request failed")
	if want == "" {
		if len(lines) != 0 {
			t.Errorf("logged %v, want nothing", lines)
		}
		return
	}
	if len(lines) != 1 || lines[0]["error"] != want || lines[0]["level"] != "ERROR" || lines[0]["trace_id"] == nil {
		t.Fatalf("logged %v, want one error %q with its trace", lines, want)
	}
	stack, _ := lines[0]["exception.stacktrace"].(string)
	if isPanic := strings.HasPrefix(want, "panic"); isPanic != strings.Contains(stack, "router_test.go") {
		t.Errorf("the stack is %q", stack)
	}
}

// Checks and dashboards depend on the access log's attributes.
func wantAccessLine(t *testing.T, l *harness, method, path string, status int) {
	t.Helper()
	lines := l.logged(t, "request")
	if len(lines) != 1 {
		t.Fatalf("%d access log lines, want 1", len(lines))
	}
	line := lines[0]
	span := l.spans.Ended()[0].SpanContext()
	route := "/things/{id}"
	if status == 404 || status == 405 {
		route = ""
	}
	want := map[string]any{
		"http.request.method": method, "http.route": route, "http.response.status_code": float64(status), "url.path": path,
		"trace_id": span.TraceID().String(), "span_id": span.SpanID().String(),
	}
	for key, value := range want {
		if line[key] != value {
			t.Errorf("access log: %s is %v, want %v", key, line[key], value)
		}
	}
	if ms, ok := line["duration_ms"].(float64); !ok || ms < 0 || ms > 10000 {
		t.Errorf("access log: duration_ms is %v", line["duration_ms"])
	}
	if id, _ := line["request_id"].(string); id == "" {
		t.Error("access log: no request_id")
	}
	keys := slices.Sorted(maps.Keys(line))
	wantKeys := []string{"duration_ms", "http.request.method", "http.response.status_code", "http.route", "level", "msg",
		"request_id", "service.name", "span_id", "time", "trace_id", "url.path"}
	if !slices.Equal(keys, wantKeys) {
		t.Errorf("access log has %v, want %v", keys, wantKeys)
	}
}

// wantSpan checks the span and the metrics. Each request must be counted once, however
// it ended.
func wantSpan(t *testing.T, l *harness, status, sent int, errorType string) {
	t.Helper()
	span := l.spans.Ended()[0]
	name, route := "GET /things/{id}", "/things/{id}"
	switch status {
	case 404:
		name, route = "GET", ""
	case 405:
		name, route = "PATCH", ""
	}
	attrs := map[string]string{}
	for _, kv := range span.Attributes() {
		attrs[string(kv.Key)] = kv.Value.String()
	}
	if attrs["http.route"] != route || attrs["error.type"] != errorType {
		t.Errorf("span has http.route %q, error.type %q; want %q, %q", attrs["http.route"], attrs["error.type"], route, errorType)
	}
	if failed := span.Status().Code == codes.Error; failed != (status >= 500) {
		t.Errorf("span status is %v", span.Status())
	}
	if span.Name() != name || attrs["http.response.status_code"] != fmt.Sprint(sent) || attrs["server.address"] != "test" {
		t.Errorf("span %q with status %s at %s; want %q with %d at test", span.Name(), attrs["http.response.status_code"], attrs["server.address"], name, sent)
	}
	points := l.durations(t)
	if len(points) != 1 {
		t.Fatalf("%d points of the duration, want 1", len(points))
	}
	if got, _ := points[0].Attributes.Value("http.response.status_code"); points[0].Count != 1 || got.AsInt64() != int64(sent) {
		t.Errorf("metric counts %d with status %d, want 1 with %d", points[0].Count, got.AsInt64(), sent)
	}
	if got, _ := points[0].Attributes.Value("http.route"); got.AsString() != route {
		t.Errorf("metric has http.route %q, want %q", got.AsString(), route)
	}
	if got, _ := points[0].Attributes.Value("error.type"); got.AsString() != errorType {
		t.Errorf("metric has error.type %q, want %q", got.AsString(), errorType)
	}
}
