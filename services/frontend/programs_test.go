package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds every wait. A healthy machine needs only a moment.
const patience = 30 * time.Second

// output collects a service's log lines. A test can wait for one.
type output struct {
	mu    sync.Mutex
	lines []string
	more  chan struct{} // closed and replaced when a line arrives
}

// follow reads lines until r ends.
func follow(r io.Reader) *output {
	o := &output{more: make(chan struct{})}
	go func() {
		for scanner := bufio.NewScanner(r); scanner.Scan(); {
			o.mu.Lock()
			o.lines = append(o.lines, scanner.Text())
			close(o.more)
			o.more = make(chan struct{})
			o.mu.Unlock()
		}
	}()
	return o
}

// wait returns the first line with all of the fragments.
func (o *output) wait(t *testing.T, fragments ...string) string {
	t.Helper()
	timeout := time.After(patience)
	for from := 0; ; {
		o.mu.Lock()
		lines, more := o.lines, o.more
		o.mu.Unlock()
		for ; from < len(lines); from++ {
			if containsAll(lines[from], fragments) {
				return lines[from]
			}
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("no log line with %q in:\n%s", fragments, strings.Join(lines, "\n"))
		}
	}
}

func containsAll(text string, fragments []string) bool {
	for _, fragment := range fragments {
		if !strings.Contains(text, fragment) {
			return false
		}
	}
	return true
}

// address waits until the service listens, and returns its base address.
func (o *output) address(t *testing.T) string {
	t.Helper()
	var line struct{ Address string }
	if err := json.Unmarshal([]byte(o.wait(t, `"msg":"listening"`)), &line); err != nil {
		t.Fatal(err)
	}
	return "http://" + line.Address
}

// startBackend builds the real backend and runs it with a new database. kill kills it.
func startBackend(t *testing.T) (base string, logs *output, kill func()) {
	t.Helper()
	dir := t.TempDir()
	program := filepath.Join(dir, "backend")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	// Reading the sources makes `go test` depend on them, so that it does not take a
	// result from its cache after they have changed.
	if err := filepath.WalkDir("..", func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
		t.Fatal(err)
	}
	if built, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "../backend").CombinedOutput(); err != nil {
		t.Fatalf("building the backend: %v\n%s", err, built)
	}
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env = append(os.Environ(), "LISTEN_ADDR=127.0.0.1:0", "DATABASE_PATH="+filepath.Join(dir, "users.db"), "LAB_FAULTS=true",
		"OTEL_TRACES_EXPORTER=none", "OTEL_METRICS_EXPORTER=none", "OTEL_LOGS_EXPORTER=none")
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	t.Cleanup(kill)
	logs = follow(stdout)
	return logs.address(t), logs, kill
}

// startFrontend runs the real frontend as main does. stop stops it as a signal would,
// and returns run's error.
func startFrontend(t *testing.T, env map[string]string) (base string, logs *output, stop func() error) {
	t.Helper()
	for _, signal := range []string{"TRACES", "METRICS", "LOGS"} {
		t.Setenv("OTEL_"+signal+"_EXPORTER", "none")
	}
	stdout, write := io.Pipe()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		err := run(ctx, nil, func(name string) string { return env[name] }, write)
		_ = write.Close()
		ended <- err
	}()
	stop = sync.OnceValue(func() error {
		cancel()
		return <-ended
	})
	t.Cleanup(func() { _ = stop() })
	logs = follow(stdout)
	return logs.address(t), logs, stop
}

// findChromium returns the path of a browser: CHROME, or the first of the usual names.
// It skips the test if there is none.
func findChromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROME"), "chromium", "chromium-browser", "google-chrome", "google-chrome-stable"} {
		if name == "" {
			continue
		}
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	t.Skip("chromium not found: apt-get install chromium")
	return ""
}
