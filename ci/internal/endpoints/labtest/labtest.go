// Package labtest is a small stand-in for the lab's frontend and backend: the
// HTTP API as documented, over users in memory, on real listeners. It is for
// tests of what drives the API; it makes no telemetry. With Tamper a test turns
// any right answer into a wrong one.
package labtest

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// Answer is a response before it is sent.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Lab is a running stand-in. Set its fields before the first request.
type Lab struct {
	// Frontend and Backend are the base URLs.
	Frontend, Backend string
	// NoFaults makes the lab ignore faults on request.
	NoFaults bool
	// Tamper, if set, may change any answer; it is called concurrently.
	Tamper func(service string, r *http.Request, a *Answer)

	mu    sync.Mutex
	users map[int64]user
	last  int64
	seen  []*http.Request
}

type user struct {
	ID        int64     `json:"id"`
	Name      string    `json:"name"`
	Email     string    `json:"email"`
	CreatedAt time.Time `json:"created_at"`
}

// Start starts a lab with five users; it stops with the test.
func Start(t testing.TB) *Lab {
	t.Helper()
	l := &Lab{users: make(map[int64]user)}
	for i := range 5 {
		l.add("Sample User", fmt.Sprintf("sample-%d@example.com", i))
	}
	backend := httptest.NewServer(l.handler("backend", ""))
	frontend := httptest.NewServer(l.handler("frontend", "/api"))
	t.Cleanup(backend.Close)
	t.Cleanup(frontend.Close)
	l.Backend, l.Frontend = backend.URL, frontend.URL
	return l
}

// Users lists the e-mails of all users, sorted.
func (l *Lab) Users() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []string
	for _, u := range l.users {
		out = append(out, u.Email)
	}
	slices.Sort(out)
	return out
}

// Requests lists the requests that were answered, in that order; their bodies
// have been read.
func (l *Lab) Requests() []*http.Request {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.seen)
}

func (l *Lab) add(name, email string) user {
	l.last++
	u := user{l.last, name, email, time.Now().UTC().Truncate(time.Second)}
	l.users[u.ID] = u
	return u
}

// handler answers for one service, whose API is under prefix.
func (l *Lab) handler(service, prefix string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := &Answer{Status: http.StatusOK, Header: http.Header{}}
		id := r.Header.Get("X-Request-Id")
		if !regexp.MustCompile(`^[\w-]{1,64}$`).MatchString(id) {
			id = "made-up"
		}
		a.Header.Set("X-Request-Id", id)
		if parts := strings.Split(r.Header.Get("Traceparent"), "-"); len(parts) == 4 {
			a.Header.Set("X-Trace-Id", parts[1])
		} else {
			a.Header.Set("X-Trace-Id", strings.Repeat("5", 32))
		}
		l.answer(service, prefix, r, a)
		l.mu.Lock()
		l.seen = append(l.seen, r)
		l.mu.Unlock()
		if l.Tamper != nil {
			l.Tamper(service, r, a)
		}
		if a.Status == 0 { // hang up instead of answering
			panic(http.ErrAbortHandler)
		}
		maps.Copy(w.Header(), a.Header)
		w.WriteHeader(a.Status)
		w.Write(a.Body) //nolint:errcheck // a client that is gone is none of our business
	})
}

// methods are the routes, each with the methods it allows.
var methods = []struct {
	service string
	path    *regexp.Regexp
	allow   string
}{
	{"", regexp.MustCompile(`^/(health|ready)$`), "GET, HEAD"},
	{"backend", regexp.MustCompile(`^/openapi\.yaml$`), "GET, HEAD"},
	{"frontend", regexp.MustCompile(`^/$`), "GET, HEAD"},
	{"frontend", regexp.MustCompile(`^/ui/(users|slow|error)$`), "POST"},
	{"frontend", regexp.MustCompile(`^/ui/users/[^/]+/delete$`), "POST"},
	{"api", regexp.MustCompile(`^/users$`), "GET, HEAD, POST"},
	{"api", regexp.MustCompile(`^/users/[^/]+$`), "DELETE, GET, HEAD"},
	{"api", regexp.MustCompile(`^/stats$`), "GET, HEAD"},
}

func (l *Lab) answer(service, prefix string, r *http.Request, a *Answer) {
	path, isAPI := strings.CutPrefix(r.URL.Path, prefix)
	for _, m := range methods {
		match := r.URL.Path
		if m.service == "api" {
			match = path
		}
		if !m.path.MatchString(match) || m.service == "api" && !isAPI || m.service == "frontend" && service != "frontend" ||
			m.service == "backend" && service != "backend" {
			continue
		}
		if !slices.Contains(strings.Split(m.allow, ", "), r.Method) {
			a.Header.Set("Allow", m.allow)
			a.problem(r, http.StatusMethodNotAllowed, "")
			return
		}
		if m.service == "api" {
			l.api(prefix, path, r, a)
		} else {
			l.page(r, a)
		}
		return
	}
	a.problem(r, http.StatusNotFound, "")
}

// page answers all but the API: probes, the description, the page and the forms.
func (l *Lab) page(r *http.Request, a *Answer) {
	switch {
	case r.URL.Path == "/health":
		a.json(http.StatusOK, map[string]string{"status": "ok"})
	case r.URL.Path == "/ready":
		a.json(http.StatusOK, map[string]string{"status": "ready"})
	case r.URL.Path == "/openapi.yaml":
		a.Header.Set("Content-Type", "application/yaml")
		a.Body = []byte("openapi: 3.0.3\npaths:\n  /users: {}\n  /users/{id}: {}\n  /stats: {}\n")
	case r.URL.Path == "/":
		a.Header.Set("Content-Type", "text/html; charset=utf-8")
		a.Header.Set("Content-Security-Policy", "default-src 'none'; style-src 'self'")
		a.Body = []byte("<!doctype html><html lang=en><title>users</title><form method=post action=/ui/users></form></html>")
	case r.Header.Get("Sec-Fetch-Site") == "cross-site":
		a.problem(r, http.StatusForbidden, "")
	default:
		l.mu.Lock()
		defer l.mu.Unlock()
		if r.URL.Path == "/ui/users" {
			l.add(r.PostFormValue("name"), r.PostFormValue("email"))
		} else if id, ok := strings.CutPrefix(r.URL.Path, "/ui/users/"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(id, "/delete"), 10, 64)
			delete(l.users, n)
		}
		a.Header.Set("Location", "/?did=something")
		a.Status = http.StatusSeeOther
	}
}

func (a *Answer) json(status int, v any) {
	a.Status = status
	a.Header.Set("Content-Type", "application/json")
	a.Body, _ = json.Marshal(v) // maps and structs of plain values
}

func (a *Answer) problem(r *http.Request, status int, detail string, fields ...string) {
	doc := map[string]any{
		"type": "about:blank", "title": http.StatusText(status), "status": status, "detail": detail,
		"instance": r.URL.Path, "request_id": a.Header.Get("X-Request-Id"),
	}
	if id := a.Header.Get("X-Trace-Id"); id != "" {
		doc["trace_id"] = id
	}
	var errs []map[string]string
	for _, f := range fields {
		errs = append(errs, map[string]string{"field": f, "detail": "is wrong"})
	}
	if errs != nil {
		doc["errors"] = errs
	}
	a.json(status, doc)
	a.Header.Set("Content-Type", "application/problem+json")
}
