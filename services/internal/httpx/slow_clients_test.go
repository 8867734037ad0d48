package httpx

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
)

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
