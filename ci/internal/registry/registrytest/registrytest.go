// Package registrytest has a container registry in memory, for tests. Its answers
// can be broken off, changed and counted.
package registrytest

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

// Registry is a real registry behind a handler that can misbehave.
type Registry struct {
	// Host is its address, as "127.0.0.1:40000".
	Host string

	real      http.Handler
	mu        sync.Mutex
	intercept func(http.ResponseWriter, *http.Request) bool
	requests  []string
}

// New starts a registry, which ends with the test.
func New(t testing.TB) *Registry {
	t.Helper()
	r := &Registry{real: registry.New(registry.Logger(log.New(io.Discard, "", 0)))}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		r.mu.Lock()
		r.requests = append(r.requests, strings.TrimSpace(req.Method+" "+req.URL.Path+" "+req.Header.Get("Range")))
		intercept := r.intercept
		r.mu.Unlock()
		if intercept == nil || !intercept(w, req) {
			r.real.ServeHTTP(w, req)
		}
	}))
	t.Cleanup(server.Close)
	r.Host = strings.TrimPrefix(server.URL, "http://")
	return r
}

// Intercept puts a handler in front of the registry, which returns true for what it
// has answered itself, and forgets the requests so far. nil takes it away.
func (r *Registry) Intercept(f func(http.ResponseWriter, *http.Request) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.intercept, r.requests = f, nil
}

// Requests returns the requests with text in them since Intercept, each as
// "METHOD PATH", with its range behind that if it has one.
func (r *Registry) Requests(text string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []string
	for _, one := range r.requests {
		if strings.Contains(one, text) {
			all = append(all, one)
		}
	}
	return all
}

// BreakOff breaks the connection of the next times answers whose path has text in
// it, each after n bytes of its body. It forgets the requests so far.
func (r *Registry) BreakOff(text string, n, times int) {
	var mu sync.Mutex
	r.Intercept(func(w http.ResponseWriter, req *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		if times == 0 || req.Method != http.MethodGet || !strings.Contains(req.URL.Path, text) {
			return false
		}
		times--
		answer := httptest.NewRecorder()
		r.real.ServeHTTP(answer, req)
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		body := answer.Body.Bytes()
		_, _ = w.Write(body[:min(n, len(body))])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler) // closes the connection in the middle of the body
	})
}
