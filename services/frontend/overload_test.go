package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

// A backend that is busy says so, and when to come back. The frontend passes both on,
// whether the backend says it or something before it, such as a load balancer.
func TestBusyBackendIsPassedOn(t *testing.T) {
	say := func(contentType, body, after string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Retry-After", after)
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, body)
		}
	}
	for name, backend := range map[string]http.HandlerFunc{
		"a problem":          say(httpx.ProblemContentType, `{"status":503,"detail":"busy"}`, "7"),
		"a balancer's page":  say("text/html", "<h1>503</h1>", "7"),
		"a balancer's empty": say("", "", "7"),
	} {
		t.Run(name, func(t *testing.T) {
			site := newSite(t, newFakeBackend(t, backend).URL, nil)
			got := site.do(t, "GET", "/api/users", "")
			if p := got.problem(t); got.StatusCode != 503 || p.Status != 503 || got.Header.Get("Retry-After") != "7" {
				t.Errorf("the API: %d %s, Retry-After %q", got.StatusCode, got.body, got.Header.Get("Retry-After"))
			}
			page := site.do(t, "GET", "/", "")
			if page.StatusCode != 503 || page.Header.Get("Retry-After") != "7" {
				t.Errorf("the page: %d, Retry-After %q", page.StatusCode, page.Header.Get("Retry-After"))
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "1": time.Second, "120": 2 * time.Minute, "-1": 0, "soon": 0,
		"Fri, 02 Jan 2015 00:00:00 GMT": 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {text}}); got != want {
			t.Errorf("%q: %v, want %v", text, got, want)
		}
	}
	in := time.Now().Add(time.Hour).UTC().Format(http.TimeFormat)
	if got := retryAfter(http.Header{"Retry-After": {in}}); got < 59*time.Minute || got > time.Hour {
		t.Errorf("in an hour: %v", got)
	}
}

// The backend learns how long the frontend waits, and never what a client says of that.
func TestBackendLearnsTheDeadline(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := newSite(t, backend.URL, func(c *config) { c.backendTimeout = 3 * time.Second })
	for _, path := range []string{"/api/users", "/"} {
		site.do(t, "GET", path, "", httpx.HeaderTimeout, "9999")
	}
	for _, seen := range backend.requests() {
		ms, err := strconv.Atoi(seen.Header.Get(httpx.HeaderTimeout))
		if values := seen.Header.Values(httpx.HeaderTimeout); err != nil || len(values) != 1 || ms < 1000 || ms > 3000 {
			t.Errorf("%s was sent with the timeout %q", seen.URL, values)
		}
	}
}

// Once the frontend's own time is over, it is a timeout, whatever the transport says.
func TestOwnDeadlineIsATimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Nanosecond)
	defer cancel()
	<-ctx.Done()
	for _, err := range []error{
		errors.New("http: server closed idle connection"), io.ErrUnexpectedEOF,
		fmt.Errorf("net/http: HTTP/1.x transport connection broken: %w", io.EOF),
	} {
		if got := gatewayError(ctx, err); got.Status != http.StatusGatewayTimeout {
			t.Errorf("%v: %d", err, got.Status)
		}
		if got := gatewayError(t.Context(), err); got.Status != http.StatusBadGateway {
			t.Errorf("with time left, %v: %d", err, got.Status)
		}
	}
}

// Many more requests than the frontend works on at once: each gets an answer, the
// frontend's own says when to come back, and the backend never has more than the bound.
func TestOverload(t *testing.T) {
	const places, clients = 4, 100
	var now, most atomic.Int64
	backend := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		time.Sleep(50 * time.Millisecond)
		writeFake(w, http.StatusOK, map[string]any{"users": []any{}})
	}))
	t.Cleanup(backend.Close)
	site := newSite(t, backend.URL, func(c *config) { c.maxInFlight = places })
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			got := site.do(t, "GET", "/api/users", "")
			if got.StatusCode == 503 && (got.Header.Get("Retry-After") != "1" || got.problem(t).Status != 503) {
				t.Errorf("503 with Retry-After %q: %s", got.Header.Get("Retry-After"), got.body)
			}
			mu.Lock()
			defer mu.Unlock()
			statuses[got.StatusCode]++
		})
	}
	all.Wait()
	if statuses[200]+statuses[503] != clients || statuses[200] < places || statuses[503] == 0 {
		t.Errorf("answers: %v", statuses)
	}
	if most.Load() > places {
		t.Errorf("the backend had %d requests at once, want %d", most.Load(), places)
	}
}
