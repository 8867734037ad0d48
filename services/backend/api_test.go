package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.opentelemetry.io/otel/codes"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// apiTests are requests and the expected answers. They run in this order, on one
// database with 12 sample users.
var apiTests = []struct {
	name, method, target, body string
	header                     []string
	status                     int
	contains                   string   // in the body
	fields                     []string // of a 422
	response                   map[string]string
}{
	{name: "list", method: "GET", target: "/users", status: 200, contains: `"name":"Ada Lovelace","email":"ada@example.com"`},
	{name: "list empty parameters", method: "GET", target: "/users?limit=&cursor=", status: 200, contains: `"id":12`},
	{name: "list page", method: "GET", target: "/users?limit=5", status: 200, contains: `"next_cursor":"` + users.Cursor{After: 5}.String() + `"`},
	{name: "list next page", method: "GET", target: "/users?limit=7&cursor=" + users.Cursor{After: 5}.String(), status: 200, contains: `"id":6`},
	{name: "list behind the end", method: "GET", target: "/users?cursor=" + users.Cursor{After: 1 << 50}.String(), status: 200, contains: `{"users":[]}`},
	{name: "limit 0", method: "GET", target: "/users?limit=0", status: 400, contains: "from 1 to 200"},
	{name: "limit 201", method: "GET", target: "/users?limit=201", status: 400, contains: "from 1 to 200"},
	{name: "limit text", method: "GET", target: "/users?limit=many", status: 400, contains: "from 1 to 200"},
	{name: "cursor from nowhere", method: "GET", target: "/users?cursor=abc", status: 400, contains: "cursor"},
	{name: "bad query", method: "GET", target: "/users?limit=%zz", status: 400, contains: "query string"},
	{name: "get", method: "GET", target: "/users/3", status: 200, contains: `{"id":3,"name":"Grace Hopper"`},
	{name: "get none", method: "GET", target: "/users/99", status: 404, contains: "no user with this id"},
	{name: "get bad id", method: "GET", target: "/users/ada", status: 400, contains: "whole number"},
	{name: "get NUL id", method: "GET", target: "/users/1%00", status: 400, contains: "whole number"},
	{name: "get huge id", method: "GET", target: "/users/99999999999999999999", status: 400, contains: "whole number"},
	{name: "create", method: "POST", target: "/users", body: `{"name":" Hedy Lamarr ","email":"hedy@example.com"}`, status: 201,
		contains: `{"id":13,"name":"Hedy Lamarr","email":"hedy@example.com","created_at":"`, response: map[string]string{"Location": "/users/13"}},
	{name: "create again", method: "POST", target: "/users", body: `{"name":"Hedy","email":"HEDY@example.com"}`, status: 409, contains: "Another user"},
	{name: "create invalid", method: "POST", target: "/users", body: `{"name":"","email":"x"}`, status: 422, fields: []string{"name", "email"}},
	{name: "create NUL", method: "POST", target: "/users", body: `{"name":"a\u0000b","email":"a@example.com"}`, status: 422, fields: []string{"name"}},
	{name: "create malformed", method: "POST", target: "/users", body: `{"name":`, status: 400, contains: "not valid JSON"},
	{name: "create unknown field", method: "POST", target: "/users", body: `{"name":"a","email":"a@example.com","admin":true}`, status: 400, contains: "admin"},
	{name: "create 1 MB", method: "POST", target: "/users", body: `{"name":"` + strings.Repeat("a", 1<<20) + `"}`, status: 413, contains: "64 KiB"},
	{name: "create form", method: "POST", target: "/users", body: `name=a`, header: []string{"Content-Type", "application/x-www-form-urlencoded"}, status: 415, contains: "application/json"},
	{name: "delete", method: "DELETE", target: "/users/13", status: 204},
	{name: "delete again", method: "DELETE", target: "/users/13", status: 404, contains: "no user with this id"},
	{name: "delete bad id", method: "DELETE", target: "/users/0", status: 400, contains: "whole number"},
	{name: "stats", method: "GET", target: "/stats", status: 200, contains: `{"users":12,"created_last_24h":12,"database_size_bytes":`},
	{name: "slow", method: "GET", target: "/users/1", header: []string{"Baggage", "lab.fault=delay:10ms"}, status: 200, contains: `"id":1`},
	{name: "failing", method: "GET", target: "/users/1", header: []string{"Baggage", "lab.fault=error"}, status: 500, contains: `"title":"Internal Server Error"`},
	{name: "malformed fault", method: "GET", target: "/users/1", header: []string{"Baggage", "lab.fault=explode"}, status: 200, contains: `"id":1`},
	{name: "document", method: "GET", target: "/openapi.yaml", status: 200, contains: "openapi: 3", response: map[string]string{"Content-Type": "application/yaml"}},
	{name: "wrong method", method: "PUT", target: "/users", body: `{}`, status: 405, response: map[string]string{"Allow": "GET, HEAD, POST"}},
	{name: "wrong method on a user", method: "PATCH", target: "/users/1", body: `{}`, status: 405, response: map[string]string{"Allow": "DELETE, GET, HEAD"}},
	{name: "nowhere", method: "GET", target: "/nowhere", status: 404, contains: "nothing at this path"},
	{name: "health", method: "GET", target: "/health", status: 200, contains: `{"status":"ok"}`},
	{name: "ready", method: "GET", target: "/ready", status: 200, contains: `{"status":"ready"}`},
}

func TestAPI(t *testing.T) {
	l := newHarness(t)
	describe := newDescription(t)
	for _, tt := range apiTests {
		t.Run(tt.name, func(t *testing.T) {
			w := l.do(tt.method, tt.target, tt.body, tt.header...)
			body := w.Body.String()
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d; body %s", w.Code, tt.status, body)
			}
			if !strings.Contains(body, tt.contains) {
				t.Errorf("body %s, want %s in it", body, tt.contains)
			}
			for name, want := range tt.response {
				if got := w.Header().Get(name); got != want {
					t.Errorf("%s is %q, want %q", name, got, want)
				}
			}
			if tt.status >= 400 {
				wantProblem(t, w.Header(), body, tt.status, tt.fields)
			}
			describe.check(t, tt.method, tt.target, tt.body, w)
		})
	}
}

func wantProblem(t *testing.T, header http.Header, body string, status int, fields []string) {
	t.Helper()
	var p httpx.Problem
	if err := json.Unmarshal([]byte(body), &p); err != nil || header.Get("Content-Type") != httpx.ProblemContentType {
		t.Fatalf("%s is no problem document: %v", body, err)
	}
	var got []string
	for _, f := range p.Errors {
		got = append(got, f.Field)
	}
	if p.Status != status || p.RequestID != header.Get(httpx.HeaderRequestID) || p.TraceID != header.Get(httpx.HeaderTraceID) || !slices.Equal(got, fields) {
		t.Errorf("problem is %+v, want %d with the fields %v", p, status, fields)
	}
}

// failingStore is a store whose list cannot be read.
type failingStore struct {
	store
	err error
}

func (f failingStore) List(context.Context, int, users.Cursor) (users.Page, error) {
	return users.Page{}, f.err
}

// What a client may try again is answered with 503, and when.
func TestTryAgain(t *testing.T) {
	for problem, after := range map[error]string{users.ErrBusy: "1", users.ErrFull: "10", users.ErrUnavailable: "1"} {
		l := newHarness(t)
		router, err := newRouter(config{listenAddr: ":8081"}, testTelemetry(t), failingStore{l.store, problem}, l.ready)
		if err != nil {
			t.Fatal(err)
		}
		l.Handler = router
		w := l.do("GET", "/users", "")
		if w.Code != 503 || w.Header().Get("Retry-After") != after {
			t.Errorf("%v: status %d, Retry-After %q; want 503 after %s", problem, w.Code, w.Header().Get("Retry-After"), after)
		}
		newDescription(t).check(t, "GET", "/users", "", w)
	}
}

// In the trace of a slow or failing request there is a slow or failing statement. The
// log lines have the trace's id.
func TestFaultIsInTheTrace(t *testing.T) {
	for _, tt := range []struct {
		baggage, statement string
		status             int
		failed             bool
	}{
		{"lab.fault=delay:30ms", "SELECT lab_sleep(?)", 200, false},
		{"lab.fault=error", "SELECT lab_fail()", 500, true},
	} {
		t.Run(tt.baggage, func(t *testing.T) {
			l := newHarness(t)
			w := l.do("GET", "/users", "", "Baggage", tt.baggage)
			if w.Code != tt.status {
				t.Fatalf("status %d, want %d", w.Code, tt.status)
			}
			spans := l.spans.Ended()
			server := spans[len(spans)-1]
			if server.Name() != "GET /users" {
				t.Fatalf("the last span is %q", server.Name())
			}
			sql := spans[0]
			var statement string
			for _, kv := range sql.Attributes() {
				if kv.Key == "db.query.text" {
					statement = kv.Value.AsString()
				}
			}
			if statement != tt.statement || sql.Parent().SpanID() != server.SpanContext().SpanID() || (sql.Status().Code == codes.Error) != tt.failed {
				t.Errorf("span %q with status %v; want %q below the server's", statement, sql.Status(), tt.statement)
			}
			if took := sql.EndTime().Sub(sql.StartTime()); !tt.failed && took < 30*time.Millisecond {
				t.Errorf("the statement took %v, want 30 ms", took)
			}
			id := server.SpanContext().TraceID().String()
			want := map[string]int{"request": 1, "request failed": 0}
			if tt.failed {
				want["request failed"] = 1
			}
			for message, n := range want {
				lines := l.out.lines(t, message)
				if len(lines) != n {
					t.Errorf("%d lines %q, want %d", len(lines), message, n)
				}
				for _, line := range lines {
					if line["trace_id"] != id {
						t.Errorf("line %q has trace_id %v, want %s", message, line["trace_id"], id)
					}
				}
			}
		})
	}
}

func TestBusinessMetrics(t *testing.T) {
	l := newHarness(t)
	want := map[string]int64{"lab.users": 12, "lab.users.created": 0, "lab.users.deleted": 0}
	if got := l.sums(t); !maps.Equal(got, want) {
		t.Errorf("at the start the metrics are %v, want %v", got, want)
	}
	for i := range 3 {
		l.do("POST", "/users", `{"name":"N","email":"`+strconv.Itoa(i)+`@example.com"}`)
	}
	l.do("POST", "/users", `{"name":"N","email":"0@example.com"}`) // 409
	l.do("DELETE", "/users/1", "")
	l.do("DELETE", "/users/1", "") // 404
	want = map[string]int64{"lab.users": 14, "lab.users.created": 3, "lab.users.deleted": 1}
	if got := l.sums(t); !maps.Equal(got, want) {
		t.Errorf("the metrics are %v, want %v", got, want)
	}
}

// Logs, spans and metrics contain no personal data.
func TestNoPersonalDataInTelemetry(t *testing.T) {
	l := newHarness(t)
	const body = `{"name":"Private Person","email":"private@example.com"}`
	for _, r := range [][3]string{{"POST", "/users", body}, {"POST", "/users", body}, {"GET", "/users/13", ""}, {"GET", "/users", ""}, {"DELETE", "/users/13", ""}} {
		l.do(r[0], r[1], r[2])
	}
	var seen strings.Builder
	for _, span := range l.spans.Ended() {
		for _, kv := range span.Attributes() {
			seen.WriteString(kv.Value.String() + "\n")
		}
		for _, e := range span.Events() {
			seen.WriteString(e.Name + "\n")
		}
	}
	for _, line := range l.out.lines(t, "") {
		text, err := json.Marshal(line)
		if err != nil {
			t.Fatal(err)
		}
		seen.Write(text)
	}
	if !strings.Contains(seen.String(), "user created") || !strings.Contains(seen.String(), "INSERT INTO") {
		t.Fatal("the telemetry is not what this test looks at")
	}
	if strings.Contains(strings.ToLower(seen.String()), "private") {
		t.Errorf("the telemetry has personal data: %s", &seen)
	}
}

// Slow queries delay neither the readiness probe nor other requests, however many there
// are.
func TestReadyWhileQueriesAreSlow(t *testing.T) {
	l := newHarness(t)
	const slow = 40 // more than any pool has connections
	ctx, cancel := context.WithCancel(t.Context())
	var waiting sync.WaitGroup
	for range slow {
		waiting.Go(func() {
			r := httptest.NewRequestWithContext(ctx, "GET", "/users/1", nil)
			r.Header.Set("Baggage", "lab.fault=delay:3s")
			l.ServeHTTP(httptest.NewRecorder(), r)
		})
	}
	defer waiting.Wait()
	defer cancel()
	eventually(t, "the slow queries run", func() bool { return len(l.spans.Started()) >= 2*slow })
	for _, target := range []string{"/ready", "/users/2", "/stats"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // less than the queries take
		w := httptest.NewRecorder()
		l.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", target, nil))
		cancel()
		if w.Code != 200 {
			t.Errorf("GET %s = %d %s", target, w.Code, w.Body)
		}
	}
}
