package check

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

const (
	// startContainers bounds the start of a case's containers: images are pulled and built.
	startContainers = 10 * time.Minute
	// endContainers bounds their end.
	endContainers = time.Minute
)

// cannotRun says why this machine cannot run the case; "" when it can.
func (r *runner) cannotRun(ctx context.Context) string {
	f := r.c.Fixture
	switch {
	case r.At.InCluster() && (r.c.Run != nil || !f.StackOnly()):
		return "lab check starts no application in a cluster. Deploy it there, name its Service by --app URL, and give the case fixture: remote."
	case f.StackOnly() || r.c.Run != nil:
		return ""
	}
	const way = "Start the application as a command, with the key run:, or by `lab run -- COMMAND` and a case with fixture: remote."
	switch {
	case f.Kind == cases.K3D:
		return "lab check makes no cluster for a k3d fixture. " + way
	case f.Template == "none":
		return "a compose fixture with template: none brings a stack of its own, which lab check does not ask. " + way
	}
	if reason := compose.Available(ctx); reason != "" {
		return fmt.Sprintf("the compose fixture %s. %s", reason, way)
	}
	return ""
}

// startContainers brings the containers of the case's compose fixture up, and waits until its
// application answers. It returns false after a failure, which the outcome then has.
func (r *runner) startContainers(ctx context.Context) bool {
	began, f := time.Now(), r.c.Fixture
	err := r.bringUp(ctx)
	if err == nil && f.AppService != "" {
		err = r.awaitContainer(ctx, f.AppService, f.AppPort)
	}
	if ctx.Err() != nil {
		return false
	}
	c := report.Check{Name: "containers", Status: report.Pass, Duration: time.Since(began), Measured: "up after " + report.Elapsed(time.Since(began))}
	if err != nil {
		c.Status, c.Measured, c.Expected, c.Detail = report.Fail, firstLine(err.Error()), "they start, and the application answers", r.lastOutput(ctx)
	}
	r.out.add(f.At, c)
	return err == nil
}

// bringUp brings the containers up in a project of their own.
func (r *runner) bringUp(ctx context.Context) error {
	if err := r.openGate(ctx); err != nil {
		return err
	}
	r.containers = &compose.Project{
		Name: "lab-check-" + r.scope.RunID, Dir: r.c.Dir(), Files: r.c.Fixture.Files, Env: r.c.Fixture.Env,
		Attributes: runid.Attribute + "=" + r.scope.RunID,
	}
	ctx, cancel := context.WithTimeout(ctx, startContainers)
	defer cancel()
	return r.containers.Up(ctx)
}

// awaitContainer waits until a service answers at a port of this machine.
func (r *runner) awaitContainer(ctx context.Context, service string, port int) error {
	address, err := r.containers.Address(ctx, service, port)
	if err != nil {
		return err
	}
	r.base = "http://" + address
	for began := time.Now(); !application.Answers(ctx, r.base+"/"); {
		if time.Since(began) > r.Timeout {
			return fmt.Errorf("the service %s does not answer at its port %d after %s; in a container it must listen on every address, not on 127.0.0.1 alone", service, port, r.Timeout)
		}
		if err := wait.For(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// endContainers takes the containers down, also when ctx has ended.
func (r *runner) endContainers(ctx context.Context) {
	if r.containers == nil {
		return
	}
	r.keepOutput(ctx)
	ctx, cancel := interrupt.Cleanup(ctx, endContainers)
	defer cancel()
	if err := r.containers.Down(ctx); err != nil {
		r.out.add(r.c.Fixture.At, report.Check{
			Name: "containers end", Status: report.Fail, Measured: firstLine(err.Error()), Expected: "they are removed",
			Detail: "`docker compose --project-name " + r.containers.Name + " down --volumes` removes them",
		})
	}
}

// keepOutput writes what the containers have printed into the folder of the evidence.
func (r *runner) keepOutput(ctx context.Context) {
	if r.Evidence == "" || ctx.Err() != nil {
		return
	}
	logs, err := r.containers.Logs(ctx)
	if err != nil {
		return
	}
	if file, err := r.outputFile(); err == nil {
		_, _ = file.Write(logs)
		_ = file.Close()
	}
}

// lastOutput is the end of what the application or the containers have printed.
func (r *runner) lastOutput(ctx context.Context) string {
	switch {
	case r.app != nil:
		return r.app.lastOutput()
	case r.containers == nil || ctx.Err() != nil:
		return ""
	}
	logs, err := r.containers.Logs(ctx)
	if err != nil || len(logs) == 0 {
		return "The containers have printed nothing."
	}
	return "The containers' output ends:\n" + endOf(logs)
}

// runInContainer runs the command of an input in a container.
func (r *runner) runInContainer(ctx context.Context, in cases.ContainerInput) error {
	if r.containers == nil {
		return fmt.Errorf("a command in a container needs a compose fixture")
	}
	_, err := r.containers.Run(ctx, in.Service, in.Command)
	return err
}

// composeLogs asks whether the containers have printed a text.
func (r *runner) composeLogs(ctx context.Context, text string) judge.Verdict {
	logs, err := r.containers.Logs(ctx)
	if err == nil && strings.Contains(string(logs), text) {
		return judge.Verdict{OK: true, Rows: 1}
	}
	return judge.Verdict{Failures: []judge.Failure{{
		Rule: "compose-logs", Message: fmt.Sprintf("the containers have not printed %q", text), Nearest: strings.Split(r.lastOutput(ctx), "\n"),
	}}}
}
