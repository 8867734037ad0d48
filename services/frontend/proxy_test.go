package main

import (
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

func TestProxyPassesOn(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada", "Grace")
	site := newSite(t, backend.URL, nil)
	for _, test := range []struct {
		name, method, target, body string
		status                     int
		wantURI, wantBody          string
		wantLocation               string
	}{
		{"list", "GET", "/api/users?limit=1&cursor=1", "", 200, "/users?limit=1&cursor=1", `"Grace"`, ""},
		{"one", "GET", "/api/users/2", "", 200, "/users/2", `"Grace"`, ""},
		{"stats", "GET", "/api/stats", "", 200, "/stats", `12345`, ""},
		{"create", "POST", "/api/users", `{"name":"Tony","email":"t@example.com"}`, 201, "/users", `"Tony"`, "/api/users/3"},
		{"delete", "DELETE", "/api/users/2", "", 204, "/users/2", "", ""},
		{"not found", "GET", "/api/users/77", "", 404, "/users/77", `"request_id":"the-backends-own"`, ""},
		{"no number", "GET", "/api/users/abc", "", 404, "/users/abc", `no such user`, ""},
		{"invalid", "POST", "/api/users", `{"name":"","email":"t@example.com"}`, 422, "/users", `"field":"name"`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := site.do(t, test.method, test.target, test.body, "Content-Type", "application/json", httpx.HeaderRequestID, "me-1")
			if got.StatusCode != test.status || !strings.Contains(got.body, test.wantBody) {
				t.Errorf("= %d %s, want %d with %s", got.StatusCode, got.body, test.status, test.wantBody)
			}
			seen := backend.requests()
			last := seen[len(seen)-1]
			if last.RequestURI != test.wantURI || last.Method != test.method {
				t.Errorf("the backend was asked %s %s, want %s", last.Method, last.RequestURI, test.wantURI)
			}
			if id := last.Header.Get(httpx.HeaderRequestID); id != "me-1" {
				t.Errorf("request id at the backend = %q", id)
			}
			if got.Header.Get("Location") != test.wantLocation {
				t.Errorf("Location = %q, want %q", got.Header.Get("Location"), test.wantLocation)
			}
			if ids := got.Header.Values(httpx.HeaderRequestID); len(ids) != 1 || ids[0] != "me-1" {
				t.Errorf("request ids = %q", ids)
			}
			if ids := got.Header.Values(httpx.HeaderTraceID); len(ids) != 1 || !traceID.MatchString(ids[0]) {
				t.Errorf("trace ids = %q", ids)
			}
		})
	}
}

func TestProxyLeavesProblemsUnchanged(t *testing.T) {
	const body = `{ "type":"about:blank", "title":"Odd",  "status":418, "detail":"<&>", "extra":[1] }`
	backend := newFakeBackend(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", httpx.ProblemContentType)
		w.Header().Set("Retry-After", "7")
		w.WriteHeader(http.StatusTeapot)
		_, _ = w.Write([]byte(body))
	})
	got := newSite(t, backend.URL, nil).do(t, "GET", "/api/stats", "")
	if got.StatusCode != http.StatusTeapot || got.body != body || got.Header.Get("Retry-After") != "7" {
		t.Errorf("= %d %q, Retry-After %q", got.StatusCode, got.body, got.Header.Get("Retry-After"))
	}
}

// An answer has each site header once, with the frontend's value, even if the backend
// sends others.
func TestProxyAnswersWithTheSitesHeaders(t *testing.T) {
	for name, status := range map[string]int{"answer": http.StatusOK, "problem": http.StatusNotFound, "garbled": http.StatusOK} {
		t.Run(name, func(t *testing.T) {
			backend := newFakeBackend(t, func(w http.ResponseWriter, _ *http.Request) {
				for header := range siteHeaders {
					w.Header().Set(header, "the backend's own")
				}
				if w.Header().Set("Content-Type", "application/json"); name == "garbled" {
					w.Header().Set("Content-Type", "text/html")
				}
				w.WriteHeader(status)
				_, _ = w.Write([]byte("{}"))
			})
			got := newSite(t, backend.URL, nil).do(t, "GET", "/api/stats", "")
			for header, want := range siteHeaders {
				if values := got.Header.Values(header); len(values) != 1 || values[0] != want {
					t.Errorf("%s = %q, want %q once", header, values, want)
				}
			}
		})
	}
}

func TestProxyKeepsFaultsInBaggage(t *testing.T) {
	backend := newFakeBackend(t, nil)
	site := newSite(t, backend.URL, nil)
	if got := site.do(t, "GET", "/api/users", "", "Baggage", "lab.fault=error,other=1"); got.StatusCode != 500 {
		t.Errorf("status = %d", got.StatusCode)
	}
	baggage := backend.requests()[0].Header.Get("Baggage")
	if !strings.Contains(baggage, "lab.fault=error") || !strings.Contains(baggage, "other=1") {
		t.Errorf("baggage at the backend = %q", baggage)
	}
}

func TestProxyKeepsPathsInside(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, nil)
	for _, path := range []string{
		"/api/users/..%2fstats", "/api/users/..%2F..%2Fstats", "/api/users/%2e%2e", "/api/users/%2e%2e%2fready",
		"/api/users/1%2f..", "/api/users/..%5cstats", "/api/users/%00", "/api/users/1%3flimit=1", "/api/users/1%23x",
		"/api/users/%252e%252e%252fstats", "/api/users/http:%2f%2fevil.example", "/api/users/" + strings.Repeat("1", 65),
	} {
		for _, method := range []string{"GET", "DELETE"} {
			got := site.do(t, method, path, "")
			if got.StatusCode != http.StatusBadRequest || got.problem(t).Status != http.StatusBadRequest {
				t.Errorf("%s %s = %d %s", method, path, got.StatusCode, got.body)
			}
		}
	}
	for _, path := range []string{"/api/users/../stats", "/api//users", "//evil.example/api/users", "/api/users/1/../../../ready"} {
		got := site.do(t, "GET", path, "")
		if at := got.Header.Get("Location"); got.StatusCode == 200 || strings.HasPrefix(at, "//") || strings.Contains(at, ":") {
			t.Errorf("%s = %d to %q", path, got.StatusCode, at)
		}
	}
	if seen := backend.requests(); len(seen) != 0 {
		t.Errorf("the backend was asked %s", seen[0].RequestURI)
	}
}

func TestProxyRoutes(t *testing.T) {
	site := newSite(t, newFakeBackend(t, nil).URL, nil)
	for _, test := range []struct {
		method, path string
		status       int
		allow        string
	}{
		{"PUT", "/api/users", 405, "GET, HEAD, POST"},
		{"POST", "/api/users/1", 405, "DELETE, GET, HEAD"},
		{"POST", "/api/stats", 405, "GET, HEAD"},
		{"GET", "/api/health", 404, ""},
		{"GET", "/api", 404, ""},
		{"GET", "/users", 404, ""},
		{"GET", "/ui/slow", 405, "POST"},
		{"POST", "/", 405, "GET, HEAD"},
		{"GET", "/assets/000000000000/page.css", 404, ""},
		{"GET", "/assets/000000000000/page.html", 404, ""},
	} {
		got := site.do(t, test.method, test.path, "")
		if got.StatusCode != test.status || got.Header.Get("Allow") != test.allow || got.problem(t).TraceID == "" {
			t.Errorf("%s %s = %d, Allow %q, %s", test.method, test.path, got.StatusCode, got.Header.Get("Allow"), got.body)
		}
	}
}

func TestProxyBodyLimit(t *testing.T) {
	backend := newFakeBackend(t, nil)
	site := newSite(t, backend.URL, nil)
	large := `{"name":"` + strings.Repeat("a", httpx.MaxBody) + `"}`
	got := site.do(t, "POST", "/api/users", large, "Content-Type", "application/json")
	if got.StatusCode != http.StatusRequestEntityTooLarge || got.problem(t).Detail == "" {
		t.Errorf("= %d %s", got.StatusCode, got.body)
	}
	if seen := backend.requests(); len(seen) != 0 {
		t.Error("the request reached the backend")
	}
	fits := `{"name":"Ada","email":"a@example.com"}` + strings.Repeat(" ", httpx.MaxBody-38)
	if got := site.do(t, "POST", "/api/users", fits, "Content-Type", "application/json"); got.StatusCode != 201 {
		t.Errorf("%d bytes: %d %s", len(fits), got.StatusCode, got.body)
	}
}

func TestProxyWithoutUsableBackend(t *testing.T) {
	html := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>hello")) }
	redirect := func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://evil.example/", http.StatusFound)
	}
	for _, test := range []struct {
		name   string
		url    string
		status int
	}{
		{"not reachable", deadAddress(t), 502},
		{"too slow", newFakeBackend(t, hang).URL, 504},
		{"no HTTP", garbageServer(t), 502},
		{"no JSON", newFakeBackend(t, html).URL, 502},
		{"a redirect", newFakeBackend(t, redirect).URL, 502},
		{"an answer that breaks off", newFakeBackend(t, breakOff).URL, 502},
		{"an answer that stops", newFakeBackend(t, stop).URL, 504},
		{"a huge answer", newFakeBackend(t, huge).URL, 502},
	} {
		t.Run(test.name, func(t *testing.T) {
			site := newSite(t, test.url, func(c *config) { c.backendTimeout = 200 * time.Millisecond })
			got := site.do(t, "GET", "/api/users", "", httpx.HeaderRequestID, "me-2")
			p := got.problem(t)
			if got.StatusCode != test.status || p.Status != test.status || p.RequestID != "me-2" || p.TraceID != got.Header.Get(httpx.HeaderTraceID) {
				t.Errorf("= %d %s", got.StatusCode, got.body)
			}
			if strings.Contains(got.body, "127.0.0.1") || got.Header.Get("Location") != "" {
				t.Errorf("the answer shows internals: %s %v", got.body, got.Header)
			}
		})
	}
}

// breakOff is a backend whose answer breaks off.
func breakOff(w http.ResponseWriter, r *http.Request) {
	beginAnswer(w)
	panic(http.ErrAbortHandler)
}

// stop is a backend that stops sending in the middle of its answer.
func stop(w http.ResponseWriter, r *http.Request) {
	beginAnswer(w)
	<-r.Context().Done()
}

func beginAnswer(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", "1000")
	_, _ = io.WriteString(w, `{"users":[`)
	_ = http.NewResponseController(w).Flush()
}

// huge is a backend whose answer is larger than any page of users.
func huge(w http.ResponseWriter, _ *http.Request) {
	writeFake(w, http.StatusOK, strings.Repeat("a", maxAnswer))
}

// garbageServer accepts connections, and answers with something that is not HTTP.
func garbageServer(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Read(make([]byte, 1024))
			_, _ = conn.Write([]byte("what a day\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestCrossOriginIsRefused(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, nil)
	unsafe := []struct{ method, path string }{
		{"POST", "/api/users"}, {"DELETE", "/api/users/1"}, {"POST", "/ui/users"},
		{"POST", "/ui/users/1/delete"}, {"POST", "/ui/slow"}, {"POST", "/ui/error"},
	}
	foreign := [][]string{
		{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"},
		{"Origin", "https://evil.example"}, {"Origin", "null"},
	}
	for _, to := range unsafe {
		for _, header := range foreign {
			got := site.do(t, to.method, to.path, "", header...)
			if got.StatusCode != http.StatusForbidden || got.problem(t).Status != http.StatusForbidden {
				t.Errorf("%s %s with %v = %d", to.method, to.path, header, got.StatusCode)
			}
		}
	}
	if seen := backend.requests(); len(seen) != 0 {
		t.Fatalf("the backend was asked %s %s", seen[0].Method, seen[0].RequestURI)
	}
	for _, header := range [][]string{{}, {"Sec-Fetch-Site", "same-origin"}, {"Origin", site.URL}} {
		if got := site.do(t, "DELETE", "/api/users/1", "", header...); got.StatusCode != http.StatusNoContent {
			t.Errorf("DELETE with %v = %d %s", header, got.StatusCode, got.body)
		}
	}
}

func TestRewriteLocation(t *testing.T) {
	for _, test := range []struct{ base, location, want string }{
		{"http://b:1", "/users/7", "/api/users/7"},
		{"http://b:1", "http://b:1/users/7?x=1", "/api/users/7?x=1"},
		{"http://b:1/base", "/base/users/7", "/api/users/7"},
		{"http://b:1", "https://evil.example/users/7", ""},
		{"http://b:1", "//evil.example/users/7", ""},
		{"http://b:1", "users/7", ""},
		{"http://b:1", "javascript:alert(1)", ""},
		{"http://b:1", "%zz", ""},
		{"http://b:1", "", ""},
	} {
		base, err := url.Parse(test.base)
		if err != nil {
			t.Fatal(err)
		}
		h := http.Header{}
		h.Set("Location", test.location)
		rewriteLocation(h, base)
		if got := h.Get("Location"); got != test.want {
			t.Errorf("%q from %s = %q, want %q", test.location, test.base, got, test.want)
		}
	}
}
