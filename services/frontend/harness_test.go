package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
	"github.com/lgtm-lab/lgtm-lab/services/internal/telemetry"
	"github.com/lgtm-lab/lgtm-lab/services/internal/users"
)

// site is the real frontend on a real port, with telemetry that the test can read.
type site struct {
	*httptest.Server
	spans  *tracetest.SpanRecorder
	meters *sdkmetric.ManualReader
}

// newSite serves the frontend for the given backend. A change that is not nil edits the
// configuration first.
func newSite(t *testing.T, backendURL string, change func(*config)) *site {
	t.Helper()
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		t.Setenv("OTEL_"+signal+"_EXPORTER", "none")
	}
	cfg, err := readConfig(func(name string) string {
		return map[string]string{
			"BACKEND_URL":     backendURL,
			"LAB_FAULTS":      "true",
			"LAB_TRACE_URL":   "https://traces.example/t/{trace_id}?a=1&b=2",
			"PUBLIC_ENDPOINT": "false",
		}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	if change != nil {
		change(&cfg)
	}
	s := &site{spans: tracetest.NewSpanRecorder(), meters: sdkmetric.NewManualReader()}
	tel, err := telemetry.Start(t.Context(), telemetry.Config{
		ServiceName: "frontend", Stdout: io.Discard,
		SpanProcessors: []sdktrace.SpanProcessor{s.spans},
		MetricReaders:  []sdkmetric.Reader{s.meters},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tel.Shutdown(context.Background()) })
	handler, err := newHandler(cfg, tel, httpx.NewReadiness(nil))
	if err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(handler)
	t.Cleanup(s.Close)
	return s
}

// answer is a response with its body.
type answer struct {
	*http.Response
	body string
}

// do sends a request and does not follow redirects. header lists names and values
// alternately.
func (s *site) do(t *testing.T, method, target, body string, header ...string) answer {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+target, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultTransport.RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	content, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer{res, string(content)}
}

// post sends a form.
func (s *site) post(t *testing.T, target string, form url.Values, header ...string) answer {
	t.Helper()
	return s.do(t, http.MethodPost, target, form.Encode(), append(header, "Content-Type", "application/x-www-form-urlencoded")...)
}

// problem decodes a problem document, and fails if the answer is not one.
func (a answer) problem(t *testing.T) httpx.Problem {
	t.Helper()
	if got := a.Header.Get("Content-Type"); got != httpx.ProblemContentType {
		t.Fatalf("Content-Type = %q, want %q; body %q", got, httpx.ProblemContentType, a.body)
	}
	var p httpx.Problem
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		t.Fatalf("body %q: %v", a.body, err)
	}
	return p
}

// fakeBackend is a users API in memory, on a real port. It keeps all requests. It can
// do what the real backend, which the browser test uses, never does.
type fakeBackend struct {
	*httptest.Server
	override http.HandlerFunc // if not nil, answers all requests

	mu    sync.Mutex
	users []users.User
	seen  []*http.Request
}

var created = time.Date(2026, 1, 2, 15, 4, 5, 0, time.UTC)

// newFakeBackend serves users with the given names and the ids 1, 2, ….
func newFakeBackend(t *testing.T, override http.HandlerFunc, names ...string) *fakeBackend {
	t.Helper()
	b := &fakeBackend{override: override}
	for i, name := range names {
		id := int64(i + 1)
		b.users = append(b.users, users.User{ID: id, Name: name, Email: strconv.Itoa(i+1) + "@example.com", CreatedAt: created})
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /users", b.list)
	mux.HandleFunc("GET /users/{id}", b.get)
	mux.HandleFunc("POST /users", b.create)
	mux.HandleFunc("DELETE /users/{id}", b.remove)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) {
		writeFake(w, http.StatusOK, map[string]any{"users": 12345, "created_last_24h": 2, "database_size_bytes": 54321098,
			"uptime_seconds": 3725.5, "version": "v9.9"})
	})
	b.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.seen = append(b.seen, r)
		if b.override != nil {
			b.override(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(b.Close)
	return b
}

// requests returns the requests so far.
func (b *fakeBackend) requests() []*http.Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen
}

func (b *fakeBackend) list(w http.ResponseWriter, r *http.Request) {
	switch baggage := r.Header.Get("Baggage"); {
	case strings.Contains(baggage, "lab.fault=error"):
		writeFakeProblem(w, http.StatusInternalServerError, "")
		return
	case r.FormValue("cursor") == "stale":
		writeFakeProblem(w, http.StatusBadRequest, "The cursor is not valid.")
		return
	}
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	after, _ := strconv.Atoi(r.FormValue("cursor"))
	page := b.users[min(after, len(b.users)):]
	list := map[string]any{"users": page}
	if len(page) > limit {
		list = map[string]any{"users": page[:limit], "next_cursor": strconv.Itoa(after + limit)}
	}
	writeFake(w, http.StatusOK, list)
}

func (b *fakeBackend) get(w http.ResponseWriter, r *http.Request) {
	for _, u := range b.users {
		if strconv.FormatInt(u.ID, 10) == r.PathValue("id") {
			writeFake(w, http.StatusOK, u)
			return
		}
	}
	writeFakeProblem(w, http.StatusNotFound, "There is no such user.")
}

func (b *fakeBackend) create(w http.ResponseWriter, r *http.Request) {
	var n users.New
	if err := json.NewDecoder(r.Body).Decode(&n); err != nil {
		writeFakeProblem(w, http.StatusBadRequest, "The body is not valid JSON.")
		return
	}
	switch {
	case n.Email == "taken@example.com":
		writeFakeProblem(w, http.StatusConflict, "Another user has this address.")
		return
	case n.Name == "":
		writeFakeProblem(w, http.StatusUnprocessableEntity, "The user is not valid.",
			httpx.FieldError{Field: "name", Detail: "A name is required."})
		return
	}
	u := users.User{ID: int64(len(b.users) + 1), Name: n.Name, Email: n.Email, CreatedAt: created}
	b.users = append(b.users, u)
	w.Header().Set("Location", "/users/"+strconv.FormatInt(u.ID, 10))
	writeFake(w, http.StatusCreated, u)
}

func (b *fakeBackend) remove(w http.ResponseWriter, r *http.Request) {
	if r.PathValue("id") == "404" {
		writeFakeProblem(w, http.StatusNotFound, "There is no such user.")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func writeFake(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set(httpx.HeaderRequestID, "the-backends-own")
	w.Header().Set(httpx.HeaderTraceID, "the-backends-own")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func writeFakeProblem(w http.ResponseWriter, status int, detail string, fields ...httpx.FieldError) {
	w.Header().Set("Content-Type", httpx.ProblemContentType)
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(httpx.Problem{Type: "about:blank", Title: http.StatusText(status), Status: status,
		Detail: detail, Instance: "/users", RequestID: "the-backends-own", Errors: fields})
}

// deadAddress is an address on which nothing listens.
func deadAddress(t *testing.T) string {
	t.Helper()
	closed := httptest.NewServer(nil)
	closed.Close()
	return closed.URL
}
