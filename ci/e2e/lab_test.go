package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// verify --up brings a lab up, verifies it, and leaves nothing behind.
func TestVerifyUp(t *testing.T) {
	t.Parallel()
	needStack(t)
	l := &testLab{T: t, dir: t.TempDir()}
	junit := l.dir + "/junit.xml"
	stdout, stderr, code := l.try("verify", "--up", "-o", "json", "--junit", junit)
	var r report.Report
	if err := json.Unmarshal([]byte(stdout), &r); err != nil {
		t.Fatalf("not a report: %v\n%s%s", err, stdout, stderr)
	}
	for _, c := range r.Checks {
		if c.Failed() {
			t.Errorf("%s: %s: measured %s, expected %s\n%s", c.Group, c.Name, c.Measured, c.Expected, c.Detail)
		}
	}
	if code != 0 && !t.Failed() {
		t.Errorf("exit code %d, though no check failed\n%s", code, stderr)
	}
	seen := map[string]bool{}
	for _, c := range r.Checks {
		seen[c.Group] = true
	}
	for _, group := range []string{"trace", "logs", "completeness", "metrics", "endpoints", "service graph", "exemplars", "freshness", "stack", "nothing lost"} {
		if !seen[group] {
			t.Errorf("no check of the group %q", group)
		}
	}
	if raw, err := os.ReadFile(junit); err != nil || !bytes.Contains(raw, []byte("<testsuite ")) {
		t.Errorf("the JUnit file: %v\n%.200s", err, raw)
	}
	t.Logf("%d checks in %v", len(r.Checks), r.Duration)
}

// A lab that keeps a tenth of its traces passes verify, which knows which these are.
func TestSampledLabVerifies(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--sample-traces", "10%")
	if stdout, stderr, code := l.try("verify", "--requests", "200"); code != 0 || !strings.Contains(stdout, "share of traces kept") {
		t.Errorf("exit code %d\n%s%s", code, stdout, stderr)
	}
}

// In a lab without faults a slow query cannot be made, and verify says so.
func TestVerifyFails(t *testing.T) {
	t.Parallel()
	l := newLab(t, "--no-faults")
	stdout, _, code := l.try("verify", "--requests", "20")
	if code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"FAIL  a slow query is where the time went", "was the lab brought up without faults?", " failed"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the table lacks %q:\n%s", want, stdout)
		}
	}
	if stdout, _, code := l.try("verify", "--requests", "20", "--no-faults"); code != 0 || !strings.Contains(stdout, "skip") {
		t.Errorf("told that there are no faults: exit code %d\n%s", code, stdout)
	}
	l.kill("loki")
	if _, stderr, code := l.try("verify"); code != 1 || !strings.Contains(stderr, "loki is not ready") {
		t.Errorf("without Loki: exit code %d: %s", code, stderr)
	}
	if stdout, _, code := l.try("status"); code != 1 || !strings.Contains(stdout, "ended") {
		t.Errorf("status without Loki: exit code %d\n%s", code, stdout)
	}
}

// No telemetry is lost while a backend is away, when the collector is killed with the
// backend's data in its queue, and while the collector is away.
func TestOutageLosesNothing(t *testing.T) {
	t.Parallel()
	l := newLab(t)
	l.kill("tempo")
	l.kill("loki")
	kept := l.traffic()
	// The services export every second. After that everything is in Alloy's queue.
	time.Sleep(3 * time.Second)
	l.kill("alloy")
	unheard := l.traffic() // the services have it
	l.lab("up", "--detach")

	for name, run := range map[string]traffic.Report{"the data in Alloy's queue": kept, "the data that the services kept": unheard} {
		l.eventually("every trace and line of "+name+" is stored", func() bool {
			traces, lines := l.stored(run)
			t.Logf("%s: %d traces and %d lines of %d requests", name, traces, lines, run.Requests)
			return traces == run.Requests && lines == run.Requests
		})
	}
}

// traffic sends the requests of the profile smoke.
func (l *testLab) traffic() traffic.Report {
	profile, err := traffic.ByName("smoke")
	if err != nil {
		l.Fatal(err)
	}
	run, err := traffic.Run(l.Context(), traffic.Options{Frontend: l.addresses.Frontend, Profile: profile})
	if err != nil || !run.OK() {
		l.Fatalf("traffic: %v %v", err, run.Problems())
	}
	return run
}

// stored counts the requests' traces that have spans of both services, and the
// frontend's lines.
func (l *testLab) stored(run traffic.Report) (traces, lines int) {
	loki := query.Loki{URL: l.addresses.Loki, HTTP: client}
	tempo := query.Tempo{URL: l.addresses.Tempo, HTTP: client}
	for n := 1; n <= run.Requests; n++ {
		spans, _ := tempo.Trace(l.Context(), traffic.TraceID(run.TracePrefix, n)) // without an answer the request is not counted
		by := map[string]bool{}
		for _, s := range spans {
			by[s.Service] = true
		}
		if by["frontend"] && by["backend"] {
			traces++
		}
	}
	counts, err := loki.Count(l.Context(), `sum by (job) (count_over_time({job="frontend"} |~ "^request$" | trace_id=~"`+run.TracePrefix+`.*" [10m]))`, "job", time.Now())
	if err != nil {
		l.Logf("counting lines: %v", err)
	}
	return traces, int(counts["frontend"])
}

// After a `lab up` was killed, the next `lab up` takes over its lab.
func TestKilledLab(t *testing.T) {
	t.Parallel()
	needStack(t)
	l := &testLab{T: t, dir: t.TempDir()}
	ports, release := claimPorts(t)
	l.release = release
	t.Cleanup(l.down)
	first := l.foreground(append([]string{"up"}, ports...)...)
	before := l.status()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait()
	second := l.foreground("up")
	for name, c := range l.status() {
		if c.State != "ready" || c.PID != before[name].PID {
			t.Errorf("%s is %s as process %d, before it was %d", name, c.State, c.PID, before[name].PID)
		}
	}
	if stdout := l.lab("up", "--detach"); !strings.Contains(stdout, "up already, and unchanged") {
		t.Errorf("a third `lab up` printed:\n%s", stdout)
	}
	if err := second.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("after Ctrl-C: %v", err)
	}
	for _, c := range before {
		if proc, err := os.FindProcess(c.PID); err == nil && proc.Signal(nil) == nil {
			t.Errorf("%s (process %d) still runs after Ctrl-C", c.Name, c.PID)
		}
	}
	if _, _, code := l.try("status"); code != 1 {
		t.Errorf("status of a lab that is down: exit code %d, want 1", code)
	}
}

// The lab works in a folder with any name, whatever variables the shell exports.
func TestOddFolderAndEnvironment(t *testing.T) {
	needStack(t)
	for name, value := range map[string]string{
		"TEMPO_OBJECT_STORE": "s3", "LOKI_OBJECT_STORE": "s3", "LAB_LOG_LEVEL": "nonsense", "LAB_RETENTION": "1h", "GOGC": "off",
		"JAEGER_AGENT_HOST": "jaeger.invalid", "OTEL_SDK_DISABLED": "true", "OTEL_TRACES_SAMPLER": "always_off", "SHUTDOWN_DELAY": "1h",
		"HOST_PROC": t.TempDir(), "HTTP_PROXY": "http://127.0.0.1:1", "GF_SERVER_HTTP_PORT": "1", "DATABASE_URL": "postgres://nowhere.invalid/",
	} {
		t.Setenv(name, value)
	}
	name := `try #2: a"b\c $HOME`
	if runtime.GOOS == "windows" { // names cannot have these characters there
		name = "try #2 $HOME"
	}
	l := &testLab{T: t, dir: filepath.Join(t.TempDir(), name)}
	t.Cleanup(func() {
		if t.Failed() {
			l.printLogs()
		}
		l.lab("down")
	})
	l.lab("up", "--detach", "--free-ports")
	l.readAddresses()
	run := l.traffic()
	l.eventually("every request has its trace and its line", func() bool {
		traces, lines := l.stored(run)
		return traces == run.Requests && lines >= run.Requests
	})
	for name, c := range l.status() {
		if c.State != "ready" {
			t.Errorf("%s is %s", name, c.State)
		}
		// Frontend, Grafana and the inspector store nothing.
		if name == target.Frontend || name == target.Grafana || name == target.Inspector {
			continue
		}
		if entries, err := os.ReadDir(filepath.Join(l.dir, "data", name)); err != nil || len(entries) == 0 {
			t.Errorf("%s has stored nothing in the lab's folder: %v", name, err)
		}
	}
}

// foreground starts `lab up` and returns once the lab is up.
func (l *testLab) foreground(args ...string) *exec.Cmd {
	l.Helper()
	cmd := l.command(args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		l.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		l.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(l.Context(), 2*time.Minute)
	defer cancel()
	const isUp = "Ctrl-C stops it"
	printed := make(chan string, 1)
	go func() { // reads to the end: otherwise the command would block on its output
		var all strings.Builder
		told := false
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			all.WriteString(lines.Text() + "\n")
			if !told && strings.Contains(lines.Text(), isUp) {
				printed <- all.String()
				told = true
			}
		}
		if !told {
			printed <- all.String()
		}
	}()
	select {
	case text := <-printed:
		if !strings.Contains(text, isUp) {
			_ = cmd.Wait()
			l.Fatalf("lab %v ended:\n%s", args, text)
		}
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		l.Fatalf("lab %v is not up in time", args)
	}
	return cmd
}
