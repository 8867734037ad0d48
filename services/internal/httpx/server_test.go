package httpx

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// running is a server that Run runs.
type running struct {
	*harness
	addr string
	stop context.CancelCauseFunc
	done chan struct{}
	err  error // Run's, once done is closed
}

// runServer calls Run with a free port and waits for its log line "listening".
func runServer(t *testing.T, l *harness, cfg ServerConfig) *running {
	t.Helper()
	cfg.Addr, cfg.Handler, cfg.Telemetry = "127.0.0.1:0", l, l.tel
	before := len(l.logged(t, "listening"))
	ctx, stop := context.WithCancelCause(context.Background())
	r := &running{harness: l, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(r.done)
		r.err = Run(ctx, cfg)
	}()
	t.Cleanup(func() {
		stop(errors.New("the test is over"))
		_ = r.wait(t)
	})
	eventually(t, "the server listens", func() bool {
		lines := l.logged(t, "listening")
		if len(lines) > before {
			r.addr = lines[before]["address"].(string)
		}
		return r.addr != ""
	})
	return r
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 10 s: %s", what)
		}
	}
}

func (r *running) wait(t *testing.T) error {
	t.Helper()
	select {
	case <-r.done:
		return r.err
	case <-time.After(10 * time.Second):
		t.Fatal("Run did not end within 10 s")
		return nil
	}
}

// A client that disconnects is logged as 499. A client whose response is aborted sees
// an error, not a short success.
func TestRealDisconnects(t *testing.T) {
	l := newHarness(t, RouterConfig{Timeout: 5 * time.Second})
	entered := make(chan struct{})
	l.Handle("GET /waits", func(_ http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-r.Context().Done()
		return fmt.Errorf("waiting: %w", r.Context().Err())
	})
	l.Handle("GET /breaks", func(w http.ResponseWriter, _ *http.Request) error {
		_, _ = io.WriteString(w, "half a")
		_ = http.NewResponseController(w).Flush()
		panic("secret")
	})
	l.Handle("GET /aborts", func(http.ResponseWriter, *http.Request) error { panic(http.ErrAbortHandler) })
	server := runServer(t, l, ServerConfig{})

	ctx, hangUp := context.WithCancel(t.Context())
	go func() { <-entered; hangUp() }()
	req, err := http.NewRequestWithContext(ctx, "GET", "http://"+server.addr+"/waits", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := http.DefaultClient.Do(req); err == nil {
		res.Body.Close()
		t.Fatalf("answered with %s", res.Status)
	}
	eventually(t, "the access log has the request", func() bool { return len(l.logged(t, "request")) == 1 })
	if got := l.logged(t, "request")[0]["http.response.status_code"]; got != 499.0 {
		t.Errorf("a client that hung up is logged as %v", got)
	}

	res, err := http.Get("http://" + server.addr + "/breaks")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, err := io.ReadAll(res.Body); err == nil {
		t.Errorf("half a response was read as a whole: %q", body)
	}

	if res, err := http.Get("http://" + server.addr + "/aborts"); err == nil {
		res.Body.Close()
		t.Errorf("an answer that the handler gave up was read as %s", res.Status)
	}
}

// The order of a shutdown: not ready, end of the requests in flight, Close, telemetry.
func TestStopInOrder(t *testing.T) {
	l := newHarness(t, RouterConfig{Timeout: 5 * time.Second})
	entered, finish := make(chan struct{}), make(chan struct{})
	l.Handle("GET /slow", func(w http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-finish
		if err := r.Context().Err(); err != nil {
			return err
		}
		return WriteJSON(w, 200, "done")
	})
	ready := NewReadiness(nil)
	l.Probe("GET /ready", ready.Probe)
	var closedAfter []map[string]any
	errClose := errors.New("database is stuck")
	server := runServer(t, l, ServerConfig{
		Readiness:     ready,
		ShutdownDelay: 50 * time.Millisecond,
		Close: func() error {
			closedAfter = l.logged(t, "request")
			return errClose
		},
	})
	type answer struct {
		status int
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		res, err := http.Get("http://" + server.addr + "/slow")
		if err != nil {
			answers <- answer{err: err}
			return
		}
		res.Body.Close()
		answers <- answer{status: res.StatusCode}
	}()
	<-entered
	server.stop(errors.New("the test says so"))
	eventually(t, "the server is not ready", func() bool {
		res, _ := l.do(httptest.NewRequest("GET", "/ready", nil))
		return res.Code == http.StatusServiceUnavailable
	})
	eventually(t, "the listener is closed", func() bool {
		conn, err := net.Dial("tcp", server.addr)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	close(finish)
	if a := <-answers; a.err != nil || a.status != 200 {
		t.Errorf("the request in flight ended with %d, %v", a.status, a.err)
	}
	if err := server.wait(t); !errors.Is(err, errClose) {
		t.Errorf("Run() = %v, want Close's error", err)
	}
	if len(closedAfter) != 1 {
		t.Errorf("Close came after %d of 1 requests", len(closedAfter))
	}
	if lines := l.logged(t, "stopping"); len(lines) != 1 || lines[0]["cause"] != "the test says so" {
		t.Errorf("logged %v", lines)
	}
}

// A server that is shutting down still answers, and closes the connection after the
// answer, so that the client's next request goes to another replica.
func TestLeaving(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	l.Handle("GET /quick", func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 200, "quick") })
	ready := NewReadiness(nil)
	server := runServer(t, l, ServerConfig{Readiness: ready})
	for _, leaving := range []bool{false, true} {
		if leaving {
			ready.Drain()
		}
		res, err := http.Get("http://" + server.addr + "/quick")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != 200 || res.Close != leaving {
			t.Errorf("leaving %v: status %d, connection closed: %v", leaving, res.StatusCode, res.Close)
		}
	}
}

// A request that does not end in time is cut off, and Run returns an error that says
// so.
func TestStopDeadline(t *testing.T) {
	l := newHarness(t, RouterConfig{Timeout: 5 * time.Second})
	entered := make(chan struct{})
	l.Handle("GET /stuck", func(_ http.ResponseWriter, r *http.Request) error {
		close(entered)
		<-r.Context().Done()
		return r.Context().Err()
	})
	closed := false
	server := runServer(t, l, ServerConfig{ShutdownTimeout: 20 * time.Millisecond, Close: func() error { closed = true; return nil }})
	go func() {
		if res, err := http.Get("http://" + server.addr + "/stuck"); err == nil {
			res.Body.Close()
		}
	}()
	<-entered
	server.stop(nil)
	if err := server.wait(t); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "stopping the server") {
		t.Errorf("Run() = %v", err)
	}
	if !closed {
		t.Error("Close was skipped")
	}
}

func TestPortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	l := newHarness(t, RouterConfig{})
	closed := false
	err = Run(t.Context(), ServerConfig{Addr: taken.Addr().String(), Handler: l, Telemetry: l.tel, Close: func() error { closed = true; return nil }})
	if _, ok := errors.AsType[*net.OpError](err); !ok || !closed {
		t.Errorf("Run() = %v, closed %v", err, closed)
	}
}
