package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// environment holds the variables of a program.
type environment map[string]string

func (e environment) get(name string) string { return e[name] }

// launch runs the program. The returned function stops it as a signal would, and
// returns run's error.
func launch(env environment, out io.Writer) (stop func() error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	done := make(chan error, 1)
	go func() { done <- run(ctx, nil, env.get, out) }()
	return func() error {
		cancel(errors.New("terminated"))
		select {
		case err := <-done:
			return err
		case <-time.After(30 * time.Second):
			return errors.New("run did not end within 30 s")
		}
	}
}

// start launches the program on a free port and returns its base URL.
func start(t testing.TB, env environment, out *buffer) (base string, stop func() error) {
	t.Helper()
	env["LISTEN_ADDR"] = "127.0.0.1:0"
	stop = launch(env, out)
	eventually(t, "the program listens", func() bool {
		if lines := out.lines(t, "listening"); len(lines) == 1 {
			base = "http://" + lines[0]["address"].(string)
		}
		return base != ""
	})
	return base, stop
}

func TestRun(t *testing.T) {
	noExporters(t)
	out := &buffer{}
	path := filepath.Join(t.TempDir(), "users.db")
	base, stop := start(t, environment{"DATABASE_PATH": path}, out)
	for target, want := range map[string]string{
		"/health":  `{"status":"ok"}`,
		"/ready":   `{"status":"ready"}`,
		"/users/1": `"name":"Ada Lovelace"`,
		"/stats":   `"users":12`,
	} {
		res, err := http.Get(base + target)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != 200 || !strings.Contains(string(body), want) {
			t.Errorf("GET %s = %d %s, %v; want 200 %s", target, res.StatusCode, body, err, want)
		}
	}
	// Faults are off by default.
	req, err := http.NewRequest("GET", base+"/users", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Baggage", "lab.fault=error")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("with faults switched off, a fault gives %d", res.StatusCode)
	}

	if err := stop(); err != nil {
		t.Errorf("run() = %v after a signal, want nil", err)
	}
	var messages []string
	for _, line := range out.lines(t, "") {
		messages = append(messages, line["msg"].(string))
	}
	if want := "listening request request request stopping stopped"; strings.Join(messages, " ") != want {
		t.Errorf("logged %q, want %q", messages, want)
	}
	if files, err := os.ReadDir(filepath.Dir(path)); err != nil || len(files) != 1 {
		t.Errorf("after the stop there are %v, %v; want the database alone", files, err)
	}
}

func TestRunFails(t *testing.T) {
	noExporters(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	for _, tt := range []struct {
		name string
		args []string
		env  environment
		want []string
	}{
		{"argument", []string{"-h"}, environment{}, []string{`unexpected argument "-h"`}},
		{"bad environment", nil, environment{"LISTEN_ADDR": "8081", "SHUTDOWN_DELAY": "soon"}, []string{"LISTEN_ADDR", "SHUTDOWN_DELAY"}},
		{"nothing in flight", nil, environment{"MAX_REQUESTS_IN_FLIGHT": "0"}, []string{"MAX_REQUESTS_IN_FLIGHT"}},
		{"bad URL", nil, environment{"DATABASE_URL": "mysql://secret@host"}, []string{"DATABASE_URL"}},
		{"negative delay", nil, environment{"SHUTDOWN_DELAY": "-1s"}, []string{"SHUTDOWN_DELAY: -1s is negative"}},
		{"no folder", nil, environment{"DATABASE_PATH": filepath.Join(dir, "missing", "users.db")}, []string{"opening database", "missing"}},
		{"port taken", nil, environment{"LISTEN_ADDR": taken.Addr().String(), "DATABASE_PATH": filepath.Join(dir, "users.db")}, []string{"listening", taken.Addr().String()}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := run(t.Context(), tt.args, tt.env.get, io.Discard)
			if err == nil {
				t.Fatal("run() = nil")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("run() = %q, want %q in it", err, want)
				}
			}
		})
	}
}

// Telemetry that was recorded just before a signal is exported, over the protocol that
// OTEL_* names.
func TestFlushOnStop(t *testing.T) {
	sink := newOTLPReceiver(t)
	sink.configure(t)
	out := &buffer{}
	base, stop := start(t, environment{"DATABASE_PATH": filepath.Join(t.TempDir(), "users.db")}, out)
	const n = 50
	for range n {
		res, err := http.Get(base + "/users/1")
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
	}
	if err := stop(); err != nil {
		t.Fatalf("run() = %v", err)
	}
	spans, logs, requests := sink.received()
	// The lines "listening", "stopping" and "stopped" are logged as well.
	if spans != 2*n || logs != n+3 || requests != n {
		t.Errorf("exported %d spans, %d log records, a count of %d requests; want %d, %d, %d", spans, logs, requests, 2*n, n+3, n)
	}
}

// A missing receiver prevents neither the start nor the service. It delays the stop by
// the flush's timeout at most.
func TestReceiverAway(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	sink := &otlpReceiver{addr: closed.Addr().String()}
	sink.configure(t)
	t.Setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "100")
	base, stop := start(t, environment{"DATABASE_PATH": filepath.Join(t.TempDir(), "users.db")}, &buffer{})
	res, err := http.Get(base + "/users/1")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
	begin := time.Now()
	err = stop()
	if took := time.Since(begin); took > 8*time.Second {
		t.Errorf("stopping took %v", took)
	}
	if err == nil || !strings.Contains(err.Error(), "flushing") {
		t.Errorf("run() = %v, want what was lost", err)
	}
}
