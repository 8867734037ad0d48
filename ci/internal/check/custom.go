package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// custom runs a script of the case, again and again until it passes with exit code 0 or the
// time is up.
func (r *runner) custom(ctx context.Context, i int, script cases.CustomCheck) report.Check {
	began := time.Now()
	c := report.Check{Name: fmt.Sprintf("custom-checks[%d]", i), Status: report.Fail, Expected: "exit code 0"}
	if !script.Inline {
		c.Name += " " + filepath.ToSlash(script.Script)
	}
	if r.At.InCluster() {
		c.Status, c.Expected, c.Detail = report.Skip, "", "a script does not run in a cluster, where there is no shell"
		return c
	}
	exit, output, err := r.script(ctx, script)
	for err == nil && exit != (application.Exit{}) && time.Since(began) < r.Timeout && wait.For(ctx, cmp.Or(r.c.Interval, askEvery)) == nil {
		exit, output, err = r.script(ctx, script)
	}
	c.Duration = time.Since(began)
	switch {
	case err != nil:
		c.Measured = err.Error()
	case exit.Killed:
		c.Measured = fmt.Sprintf("the script did not end within %s", r.Timeout)
	default:
		c.Measured = exit.String()
	}
	if err == nil && exit == (application.Exit{}) {
		c.Status = report.Pass
	} else {
		c.Detail = output
	}
	return c
}

// script runs the script to its end, or to the time limit, and returns the end of its output.
func (r *runner) script(ctx context.Context, script cases.CustomCheck) (application.Exit, string, error) {
	dir, err := os.MkdirTemp("", "lab-check-")
	if err != nil {
		return application.Exit{}, "", err
	}
	defer os.RemoveAll(dir)
	path, err := filepath.Abs(filepath.Join(r.c.Dir(), script.Script))
	if err != nil {
		return application.Exit{}, "", err
	}
	if script.Inline {
		path = filepath.Join(dir, "script")
		if err := os.WriteFile(path, []byte(script.Script), 0o700); err != nil {
			return application.Exit{}, "", err
		}
	}
	file := filepath.Join(dir, "output")
	output, err := os.Create(file)
	if err != nil {
		return application.Exit{}, "", err
	}
	p, err := application.Start(application.Command{Args: []string{path}, Dir: r.c.Dir(), Env: r.scriptEnvironment(), Stdout: output, Stderr: output})
	_ = output.Close()
	if err != nil {
		return application.Exit{}, "", err
	}
	killed := false
	timer := time.NewTimer(r.Timeout)
	defer timer.Stop()
	select {
	case <-p.Done():
	case <-timer.C:
		killed = true
	case <-ctx.Done():
	}
	exit := p.Stop(context.WithoutCancel(ctx), 0)
	exit.Killed = killed
	raw, _ := os.ReadFile(file)
	return exit, strings.TrimSpace(string(raw[max(0, len(raw)-3000):])), nil
}

// scriptEnvironment is what OATS gives its scripts, and where this lab's stores are.
func (r *runner) scriptEnvironment() []string {
	fixture := cases.Remote
	if r.containers != nil {
		fixture = r.c.Fixture.Kind
	}
	return append(os.Environ(),
		"OATS_FIXTURE_TYPE="+string(fixture), "OATS_GRAFANA_URL="+r.At.Grafana, "OATS_APP_URL="+r.base, "OATS_OTLP_HTTP="+r.At.OTLPHTTP,
		"LAB_RUN_ID="+r.scope.RunID, "LAB_TEMPO_URL="+r.At.Tempo, "LAB_LOKI_URL="+r.At.Loki, "LAB_MIMIR_URL="+r.At.Mimir)
}
