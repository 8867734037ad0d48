package check

import (
	"cmp"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose/composetest"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// runComposed runs a case with a compose fixture, as Run does, beside a gate that needs no
// port of this machine.
func runComposed(t *testing.T, ctx context.Context, c cases.Case, o Options) *outcome {
	t.Helper()
	o.Timeout, o.AbsentTimeout = DefaultTimeout, DefaultAbsentTimeout
	o.At.Name = cmp.Or(o.At.Name, target.Local)
	r := newRunner(c, o)
	r.openGate = func(context.Context) (string, error) { return "127.0.0.1", nil }
	r.run(ctx)
	return r.out
}

// A case with a compose fixture brings its containers up, drives the application where
// Docker publishes it, asks for its logs, and takes the containers down.
func TestCaseOfContainers(t *testing.T) {
	application := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer application.Close()
	_, port, err := net.SplitHostPort(application.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	called := composetest.Docker{Config: `{"services":{"app":{}}}`, Port: "127.0.0.1:" + port}.Install(t)
	var asked judge.Scope
	c := cases.Case{
		Name:    "c",
		Fixture: cases.Fixture{Kind: cases.Compose, Template: "lgtm", Files: []string{"docker-compose.yml"}, AppService: "app", AppPort: 8080},
		Input:   []cases.Input{{Path: "/", Status: 200}, {Container: &cases.ContainerInput{Service: "app", Command: []string{"seed"}}}},
		Expected: cases.Expected{
			ComposeLogs: []string{"app started ok"}, Traces: []cases.TracesExpectation{{}},
		},
	}
	out := runComposed(t, t.Context(), c, Options{Judge: Judge{
		Traces: func(_ context.Context, _ cases.TracesExpectation, scope judge.Scope) judge.Verdict {
			asked = scope
			return judge.Verdict{OK: true, Rows: 1}
		},
	}})
	for _, check := range out.checks {
		if check.Failed() {
			t.Errorf("%+v", check)
		}
	}
	if len(asked.RunID) != 16 || len(out.checks) != 5 {
		t.Errorf("asked with %+v, checks %+v", asked, out.checks)
	}
	all := strings.Join(called(), "\n")
	for _, want := range []string{"up --detach", "lab.run.id=" + asked.RunID, "port app 8080", "run --rm --no-TTY --no-deps app seed", "down --volumes"} {
		if !strings.Contains(all, want) {
			t.Errorf("Docker was not asked %q:\n%s", want, all)
		}
	}
}

// A case with a k3d fixture that cannot be brought up fails, and says why.
func TestClusterFixture(t *testing.T) {
	composetest.Docker{}.Install(t)
	dir := t.TempDir()
	c := cases.Case{
		Name: "c", At: cases.Position{File: filepath.Join(dir, "case.yaml")},
		Fixture: cases.Fixture{Kind: cases.K3D, Cluster: &cases.Cluster{K8sDir: "k8s", AppService: "shop"}},
	}
	out := runComposed(t, t.Context(), c, Options{})
	if len(out.checks) != 1 || !out.checks[0].Failed() || !strings.Contains(out.checks[0].Measured, filepath.Join(dir, "k8s")) {
		t.Errorf("%+v", out.checks)
	}
}

// Containers that did not come up are taken down, and so they are after Ctrl-C.
func TestContainersEnd(t *testing.T) {
	c := cases.Case{Name: "c", Fixture: cases.Fixture{Kind: cases.Compose, Template: "lgtm", Files: []string{"a.yml"}}}
	called := composetest.Docker{Config: `{"services":{"app":{}}}`, Fails: "up"}.Install(t)
	out := runComposed(t, t.Context(), c, Options{})
	if len(out.checks) != 1 || !out.checks[0].Failed() || out.checks[0].Measured != "docker compose up: no such image" || !strings.Contains(out.checks[0].Detail, "app started ok") {
		t.Errorf("%+v", out.checks)
	}
	if all := called(); !strings.Contains(all[len(all)-1], "down --volumes") {
		t.Errorf("the last call is %s", all[len(all)-1])
	}

	ctx, cancel := context.WithCancel(t.Context())
	c.Expected.Traces = []cases.TracesExpectation{{}}
	called = composetest.Docker{Config: `{"services":{"app":{}}}`}.Install(t)
	runComposed(t, ctx, c, Options{Judge: Judge{Traces: func(context.Context, cases.TracesExpectation, judge.Scope) judge.Verdict {
		cancel()
		return judge.Verdict{}
	}}})
	if all := called(); !strings.Contains(all[len(all)-1], "down --volumes") {
		t.Errorf("after Ctrl-C, the last call is %s", all[len(all)-1])
	}
}

// A case that no containers can be started for is skipped, and the reason names another way.
func TestFixturesThatAreSkipped(t *testing.T) {
	for says, f := range map[string]cases.Fixture{
		"`docker compose`": {Kind: cases.Compose, Template: "lgtm", Files: []string{"a.yml"}},
		"template: none":   {Kind: cases.Compose, Template: "none", Files: []string{"a.yml"}},
		"the k3d fixture needs Docker, which is not on this machine": {Kind: cases.K3D, Cluster: &cases.Cluster{}},
	} {
		composetest.Docker{Fails: "version"}.Install(t)
		if f.Kind == cases.K3D { // which needs no compose
			t.Setenv("PATH", t.TempDir())
		}
		out := runComposed(t, t.Context(), cases.Case{Name: "c", Fixture: f}, Options{})
		inside := runComposed(t, t.Context(), cases.Case{Name: "c", Fixture: f}, Options{At: target.Cluster()})
		if len(inside.checks) != 1 || inside.checks[0].Status != "skip" || !strings.Contains(inside.checks[0].Detail, "--app URL") {
			t.Errorf("in a cluster: %+v", inside.checks)
		}
		if len(out.checks) != 1 || out.checks[0].Status != "skip" || !strings.Contains(out.checks[0].Detail, says) || !strings.Contains(out.checks[0].Detail, "run:") {
			t.Errorf("%s: %+v", says, out.checks)
		}
	}
}
