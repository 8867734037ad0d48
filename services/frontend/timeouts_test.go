package main

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/services/internal/fault"
	"github.com/lgtm-lab/lgtm-lab/services/internal/httpx"
)

// hang is a backend that never answers.
func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// The timeouts are in the order that server.go describes.
func TestTimeoutsAreInOrder(t *testing.T) {
	limits := []time.Duration{fault.MaxDelay, httpx.DefaultTimeout, backendTimeout, backendTimeout + answerTime, httpx.DefaultReadTimeout}
	if idleTimeout >= httpx.DefaultIdleTimeout {
		t.Errorf("the frontend keeps an idle connection for %v, and the backend closes it after %v", idleTimeout, httpx.DefaultIdleTimeout)
	}
	for i, limit := range limits[1:] {
		if limit < limits[i]+time.Second {
			t.Errorf("of %v the limit %v is not a second more than %v", limits, limit, limits[i])
		}
	}
}

// With the real timeouts: if the backend hangs, the user gets a page that says so, with
// the input still in the form.
func TestPageWithHangingBackend(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as the frontend waits for the backend")
	}
	site := newSite(t, newHangingBackend(t), nil)
	for name, ask := range map[string]func(t *testing.T) answer{
		"GET /": func(t *testing.T) answer { return site.do(t, "GET", "/", "") },
		"POST /ui/users": func(t *testing.T) answer {
			return site.post(t, "/ui/users", url.Values{"name": {"Ada"}, "email": {"a@example.com"}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			got := ask(t)
			if got.StatusCode != http.StatusGatewayTimeout || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html") {
				t.Errorf("after %v: %d %s", time.Since(began), got.StatusCode, got.Header.Get("Content-Type"))
			}
			got.expect(t, "The backend took too long to answer.", `id="add-form"`, `</html>`)
			if name != "GET /" {
				got.expect(t, `value="Ada"`, `value="a@example.com"`)
			}
		})
	}
}

// newHangingBackend accepts any number of connections and never answers. A fakeBackend
// handles one request at a time.
func newHangingBackend(t *testing.T) string {
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
			t.Cleanup(func() { _ = conn.Close() })
		}
	}()
	return "http://" + listener.Addr().String()
}

// Every route that reads a body answers 408 if the body does not arrive in time.
func TestSlowBodies(t *testing.T) {
	backend := newFakeBackend(t, nil, "Ada")
	site := httptest.NewUnstartedServer(newSite(t, backend.URL, nil).Config.Handler)
	site.Config.ReadTimeout = 100 * time.Millisecond
	site.Start()
	t.Cleanup(site.Close)
	for target, contentType := range map[string]string{
		"/api/users": "application/json", "/ui/users": "application/x-www-form-urlencoded",
		"/ui/slow": "application/x-www-form-urlencoded", "/ui/users/1/delete": "application/x-www-form-urlencoded",
	} {
		t.Run(target, func(t *testing.T) {
			conn, err := net.Dial("tcp", site.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(conn, "POST "+target+" HTTP/1.1\r\nHost: test\r\nContent-Type: "+contentType+"\r\nContent-Length: 20\r\n\r\n{"); err != nil {
				t.Fatal(err)
			}
			line, err := bufio.NewReader(conn).ReadString('\n')
			if want := "HTTP/1.1 408 Request Timeout"; err != nil || strings.TrimSpace(line) != want {
				t.Errorf("answer %q, %v; want %q", line, err, want)
			}
		})
	}
	if seen := backend.requests(); len(seen) != 0 {
		t.Errorf("the backend was asked %s", seen[0].RequestURI)
	}
}
