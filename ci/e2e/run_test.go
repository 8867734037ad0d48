package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/gotool"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// shop is the application of testdata/shop, compiled once.
var shop = sync.OnceValues(func() (string, error) {
	file := filepath.Join(workDir, "shop")
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	out, err := gotool.Output(context.Background(), "", "build", "-o", file, "./testdata/shop")
	if err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return file, nil
})

func buildShop(t *testing.T) string {
	t.Helper()
	file, err := shop()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// running is `lab run`, started.
type running struct {
	*exec.Cmd
	port           string
	stdout, stderr lockedBuffer
	report         string
}

// lockedBuffer may be read while a program writes to it.
type lockedBuffer struct {
	sync.Mutex
	b bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.Lock()
	defer l.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.Lock()
	defer l.Unlock()
	return l.b.String()
}

// startRun starts `lab run FLAGS -- APPLICATION` with a free port in PORT.
func (l *testLab) startRun(environment, flags []string, application ...string) *running {
	l.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	_ = listener.Close()
	r := &running{port: port, report: filepath.Join(l.TempDir(), "run.json")}
	args := append([]string{"run", "--dir", l.dir, "--json", r.report}, flags...)
	r.Cmd = exec.Command(program, append(append(args, "--"), application...)...)
	r.Dir = root
	r.Env = append(append(os.Environ(), "PORT="+port), environment...)
	r.Stdout, r.Stderr = &r.stdout, &r.stderr
	if err := r.Start(); err != nil {
		l.Fatal(err)
	}
	l.Cleanup(func() { _ = r.Process.Kill() })
	return r
}

// arrived is the report of `lab run`.
type arrived struct {
	RunID    string   `json:"run_id"`
	Service  string   `json:"service"`
	ExitCode int      `json:"exit_code"`
	Traces   int      `json:"traces"`
	Spans    int      `json:"spans"`
	Lines    int      `json:"lines"`
	Series   int      `json:"series"`
	TraceID  string   `json:"trace_id"`
	Advice   []string `json:"advice"`
}

// end waits for the end, and returns the report and the exit code.
func (l *testLab) end(r *running) (arrived, int) {
	l.Helper()
	_ = r.Wait()
	var a arrived
	if raw, err := os.ReadFile(r.report); err == nil && len(raw) > 0 {
		if err := json.Unmarshal(raw, &a); err != nil {
			l.Errorf("the report: %v", err)
		}
	}
	return a, r.ProcessState.ExitCode()
}

// get sends a request with a trace id that it returns.
func (l *testLab) get(url string) (traceID string) {
	l.Helper()
	traceID = traceparent.NewTraceID()
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		l.Fatal(err)
	}
	req.Header.Set("Traceparent", traceparent.Header(traceID, traceparent.NewSpanID()))
	resp, err := client.Do(req)
	if err != nil {
		l.Fatal(err)
	}
	_ = resp.Body.Close()
	return traceID
}

// Run starts an application that knows the lab by OTEL_* variables alone, says when its
// telemetry has arrived, and counts its run's and no other's.
func TestRunAnApplication(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	app := buildShop(t)
	for _, protocol := range []string{"http/protobuf", "grpc"} {
		r := l.startRun([]string{"OTEL_RESOURCE_ATTRIBUTES=team=a"}, []string{"--service", "shop-" + protocol[:4], "--protocol", protocol}, app)
		base := "http://127.0.0.1:" + r.port
		l.eventually("the application answers", func() bool {
			resp, err := client.Get(base + "/ready")
			return err == nil && resp.Body.Close() == nil && resp.StatusCode == http.StatusOK
		})
		for range 5 {
			l.get(base + "/items/7")
		}
		l.eventually("run says that telemetry has arrived", func() bool {
			said := r.stderr.String()
			return strings.Contains(said, "first trace after") && strings.Contains(said, "first log line after") && strings.Contains(said, "first metrics after")
		})
		if err := r.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		a, code := l.end(r)
		if code != 0 || a.ExitCode != 0 {
			t.Errorf("%s: exit code %d and %d, want 0: the application has handled the signal\n%s", protocol, code, a.ExitCode, r.stderr.String())
		}
		if a.Traces != 5 || a.Spans != 10 || a.Lines != 5 || a.Series == 0 || len(a.Advice) > 0 {
			t.Errorf("%s: arrived %+v, want 5 traces, 10 spans, 5 lines, some series\n%s", protocol, a, r.stderr.String())
		}
		if !strings.Contains(r.stdout.String(), "shop listens on") || strings.Contains(r.stdout.String(), "lab:") {
			t.Errorf("%s: standard output is not the application's own: %q", protocol, r.stdout.String())
		}
		if tree := l.lab("trace", a.TraceID); !strings.Contains(tree, "GET /items/{id}") || !strings.Contains(tree, "item served") {
			t.Errorf("%s: the trace that run names:\n%s", protocol, tree)
		}
	}
}

// Applications that end badly, or send nothing: the exit code is theirs, and run says what
// to do.
func TestRunOfApplicationsThatDoNotWork(t *testing.T) {
	t.Parallel()
	l := borrowLab(t)
	app := buildShop(t)
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, port, _ := net.SplitHostPort(taken.Addr().String())
	for name, c := range map[string]struct {
		environment []string
		command     []string
		code        int
		want        []string
	}{
		"fails":          {nil, []string{app, "-exit", "3"}, 3, []string{"exit code 3", "1 trace, 1 span"}},
		"never sends":    {[]string{"OTEL_TRACES_EXPORTER=none"}, []string{app, "-exit", "0"}, 0, []string{"Nothing has arrived.", "OTEL_TRACES_EXPORTER is none: traces do not go out over OTLP."}},
		"sends off":      {[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1"}, []string{app, "-exit", "0"}, 1, []string{"telemetry goes there, not to the lab", l.addresses.OTLPHTTP}},
		"has no run id":  {[]string{"SHOP_OWN_RESOURCE=lonely"}, []string{app, "-exit", "0"}, 0, []string{"1 trace of the service shop came without the run id"}},
		"has no SDK":     {nil, []string{"go", "version"}, 0, []string{"An application without an SDK sends nothing", l.addresses.OTLPGRPC}},
		"its port taken": {[]string{"PORT=" + port}, []string{app}, 1, []string{"address already in use"}},
		"is not there":   {nil, []string{"./no-such-application"}, 127, []string{"there is no such program"}},
	} {
		r := l.startRun(c.environment, nil, c.command...)
		if _, code := l.end(r); code != c.code {
			t.Errorf("%s: exit code %d, want %d", name, code, c.code)
		}
		for _, want := range c.want {
			if said := r.stderr.String(); !strings.Contains(said, want) {
				t.Errorf("%s: run does not say %q:\n%s", name, want, said)
			}
		}
	}
}

// An application that ignores the signal is killed at the second one.
func TestRunOfAnApplicationThatHangs(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("sends signals; run this test on Linux or macOS")
	}
	t.Parallel()
	l := borrowLab(t)
	r := l.startRun(nil, nil, "sh", "-c", `trap '' INT TERM; echo up; while :; do sleep 0.1; done`)
	l.eventually("the application runs", func() bool { return strings.Contains(r.stdout.String(), "up") })
	for range 2 {
		if err := r.Process.Signal(os.Interrupt); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond)
	}
	if _, code := l.end(r); code != 137 || !strings.Contains(r.stderr.String(), "was killed") {
		t.Errorf("exit code %d, want 137\n%s", code, r.stderr.String())
	}
}
