package endpoints_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// TestServices builds the real services, starts them without telemetry, asks all
// their endpoints and sends them a short traffic run.
func TestServices(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and starts the services; run without -short")
	}
	bin := buildServices(t)
	backend, frontend := freeAddr(t), freeAddr(t)
	startService(t, filepath.Join(bin, "backend"), backend, "DATABASE_PATH="+filepath.Join(t.TempDir(), "users.db"))
	startService(t, filepath.Join(bin, "frontend"), frontend, "BACKEND_URL=http://"+backend, "PUBLIC_ENDPOINT=false")

	t.Run("endpoints", func(t *testing.T) {
		checks := endpoints.Run(t.Context(), endpoints.Target{
			Frontend: "http://" + frontend, Backend: "http://" + backend, WithoutTraces: true,
		})
		for _, c := range checks {
			if c.Status != report.Pass {
				t.Errorf("%s: %s, got %s, want %s\n%s", c.Name, c.Status, c.Measured, c.Expected, c.Detail)
			}
		}
		if want := len(endpoints.BackendCases()) + len(endpoints.FrontendCases()); len(checks) != want {
			t.Errorf("%d checks, want %d", len(checks), want)
		}
	})
	t.Run("traffic", func(t *testing.T) {
		before := countUsers(t, backend)
		p := traffic.Profile{Name: "test", Rate: 100, Requests: 200, Slow: 0.05, Error: 0.05, Delay: 50 * time.Millisecond, Seed: 3}
		r, err := traffic.Run(t.Context(), traffic.Options{Frontend: "http://" + frontend, Profile: p})
		if err != nil {
			t.Fatal(err)
		}
		if !r.OK() {
			t.Errorf("problems: %q", r.Problems())
		}
		if got := r.ByKind[traffic.Slow].P50; got < 50*time.Millisecond {
			t.Errorf("p50 of slow requests %v, want 50ms or more", got)
		}
		if after := countUsers(t, backend); after != before || r.Kinds[traffic.Create] == 0 {
			t.Errorf("%d users before, %d after, %d created", before, after, r.Kinds[traffic.Create])
		}
	})
}

// buildServices builds both services into a directory of the test's own.
func buildServices(t *testing.T) string {
	t.Helper()
	if err := gotool.Installed(); err != nil {
		t.Skip(err)
	}
	// So that `go test` sees when they have changed, and takes no result from its cache.
	if err := filepath.WalkDir("../../../services", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	const module = "github.com/lgtm-lab/lgtm-lab/services/"
	if out, err := gotool.Output(t.Context(), "", "build", "-o", dir+string(filepath.Separator), module+"backend", module+"frontend"); err != nil {
		t.Fatalf("building the services: %v\n%s", err, out)
	}
	return dir
}

// startService starts a service and waits until it is ready. It is told to stop
// at the end of the test, and must then end by itself and without an error.
func startService(t *testing.T, path, addr string, env ...string) {
	t.Helper()
	if runtime.GOOS == "windows" {
		path += ".exe"
	}
	var log lockedBuffer
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), "LISTEN_ADDR="+addr, "OTEL_SDK_DISABLED=true", "LAB_FAULTS=true")
	cmd.Env = append(cmd.Env, env...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(path)
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil { // Windows has no such signal
			_ = cmd.Process.Kill()
			<-done //nolint:errcheck // it was killed: how it ended says nothing
			return
		}
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s ended with %v", name, err)
			}
		case <-time.After(20 * time.Second):
			t.Errorf("%s did not stop within 20s of SIGTERM", name)
			_ = cmd.Process.Kill()
			<-done //nolint:errcheck // it was killed: how it ended says nothing
		}
		if t.Failed() {
			t.Logf("the log of %s:\n%s", name, log.tail(4000))
		}
	})
	if err := waitReady(t.Context(), "http://"+addr+"/ready", done); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, log.tail(4000))
	}
}

// waitReady polls until the address answers 200 or the process ends.
func waitReady(ctx context.Context, address string, done chan error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case err := <-done:
			done <- err
			return fmt.Errorf("ended before it was ready: %w", err)
		case <-ctx.Done():
			return errors.New("not ready within 30s")
		case <-tick.C:
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return nil
		}
	}
}

// freeAddr is an address on which no program listened just now.
func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// countUsers is the number of users by the statistics.
func countUsers(t *testing.T, backend string) int {
	t.Helper()
	resp, err := http.Get("http://" + backend + "/stats")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var stats struct {
		Users int `json:"users"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&stats); err != nil {
		t.Fatal(err)
	}
	return stats.Users
}

// lockedBuffer is a process's output, which is read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

// tail is the last n bytes.
func (b *lockedBuffer) tail(n int) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	data := b.buf.Bytes()
	return string(data[max(0, len(data)-n):])
}
