package httpx

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
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

// The server ends a connection that sends its header or body too slowly, not at all, or
// too much of it. It serves other clients meanwhile.
func TestSlowAndHugeClients(t *testing.T) {
	l := newHarness(t, RouterConfig{Timeout: 500 * time.Millisecond})
	l.Handle("GET /quick", func(w http.ResponseWriter, _ *http.Request) error { return WriteJSON(w, 200, "quick") })
	l.Handle("POST /things", func(w http.ResponseWriter, r *http.Request) error {
		var got thing
		if err := DecodeJSON(w, r, &got); err != nil {
			return err
		}
		return WriteJSON(w, 201, got)
	})
	// One server for each timeout, so that the other timeout cannot fire first.
	const patience, forever = 100 * time.Millisecond, time.Minute
	forHeader := runServer(t, l, ServerConfig{ReadHeaderTimeout: patience, ReadTimeout: forever})
	forBody := runServer(t, l, ServerConfig{ReadHeaderTimeout: forever, ReadTimeout: patience})
	forHandler := runServer(t, l, ServerConfig{ReadHeaderTimeout: forever, ReadTimeout: forever}) // waits as long as the router

	head := "POST /things HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n"
	for _, tt := range []struct {
		server     *running
		name, sent string
		drip       bool   // goes on with a byte every few milliseconds
		late       string // comes after the router's timeout
		answer     string // the status line, "" for none
	}{
		{forHeader, "silent", "", false, "", ""},
		{forHeader, "header cut off", "GET /quick HTTP/1.1\r\nHost: te", false, "", ""},
		{forHeader, "header drips", "GET /quick HTTP/1.1\r\nX-Slow: ", true, "", ""},
		{forBody, "body missing", head + "Content-Length: 20\r\n\r\n{", false, "", "HTTP/1.1 408 Request Timeout"},
		{forBody, "body drips", head + "Content-Length: 60000\r\n\r\n{", true, "", "HTTP/1.1 408 Request Timeout"},
		{forBody, "huge body", head + "Content-Length: 1048576\r\n\r\n{\"name\":\"" + strings.Repeat("a", 1<<20) + `"}`, false, "", "HTTP/1.1 413 Request Entity Too Large"},
		{forHeader, "huge header", "GET /quick HTTP/1.1\r\nX-Big: " + strings.Repeat("a", 64<<10) + "\r\n\r\n", false, "", "HTTP/1.1 431 Request Header Fields Too Large"},
		{forHandler, "body late", head + "Content-Length: 20\r\n\r\n{", false, strings.Repeat(" ", 18) + "}", "HTTP/1.1 408 Request Timeout"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := net.Dial("tcp", tt.server.addr)
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(5 * time.Second)); err != nil {
				t.Fatal(err)
			}
			// A write may fail, because the server may close the connection before all
			// is sent.
			go func() {
				_, err := io.WriteString(conn, tt.sent)
				for tt.drip && err == nil {
					time.Sleep(5 * time.Millisecond)
					_, err = io.WriteString(conn, "a")
				}
				if tt.late != "" && err == nil {
					time.Sleep(600 * time.Millisecond)
					_, _ = io.WriteString(conn, tt.late)
				}
			}()
			quick(t, tt.server.addr)
			line, err := bufio.NewReader(conn).ReadString('\n')
			if e, ok := errors.AsType[net.Error](err); ok && e.Timeout() {
				t.Fatal("the server still waits after 5 s")
			}
			if got := strings.TrimSpace(line); got != tt.answer {
				t.Errorf("answer %q, want %q", got, tt.answer)
			}
			quick(t, tt.server.addr)
		})
	}
}

// quick makes one request, which must succeed.
func quick(t *testing.T, addr string) {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + addr + "/quick")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
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

// Clients depend on the document, so the test compares every byte.
func TestProblemGolden(t *testing.T) {
	l := newHarness(t, RouterConfig{})
	e := Errorf(422, "The user is not valid.")
	e.Fields = []FieldError{{Field: "name", Detail: `Not "<this>".`}}
	l.Handle("GET /users/{id}", func(http.ResponseWriter, *http.Request) error { return e })
	server := runServer(t, l, ServerConfig{})
	req, err := http.NewRequest("GET", "http://"+server.addr+"/users/a%20b?email=x", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set(HeaderRequestID, "id-1")
	req.Header.Set("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{
  "type": "about:blank",
  "title": "Unprocessable Entity",
  "status": 422,
  "detail": "The user is not valid.",
  "instance": "/users/a%20b",
  "request_id": "id-1",
  "trace_id": "0af7651916cd43dd8448eb211c80319c",
  "errors": [
    {
      "field": "name",
      "detail": "Not \"\u003cthis\u003e\"."
    }
  ]
}
`
	var got bytes.Buffer
	if err := json.Indent(&got, body, "", "  "); err != nil || got.String() != want {
		t.Errorf("problem is %v %s\nwant %s", err, &got, want)
	}
	for name, want := range map[string]string{"Content-Type": ProblemContentType, "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"} {
		if got := res.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
