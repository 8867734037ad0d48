package check

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/application"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/k3d"
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
	available := compose.Available
	switch {
	case f.Kind == cases.K3D:
		available = compose.DockerAvailable
	case f.Template == "none":
		return "a compose fixture with template: none brings a stack of its own, which lab check does not ask. " + way
	}
	if reason := available(ctx); reason != "" {
		return fmt.Sprintf("the %s fixture %s. %s", f.Kind, reason, way)
	}
	return ""
}

// containers are the application of a case in containers of its own.
type containers interface {
	// Up starts it, and returns when it runs. After it there must be a Down.
	Up(ctx context.Context) error
	// Address returns the host and port of this machine that lead to it.
	Address(ctx context.Context) (string, error)
	// Run runs a command in a container of the service, and returns what it prints.
	Run(ctx context.Context, service string, command []string) ([]byte, error)
	// Logs returns what the containers have printed.
	Logs(ctx context.Context) ([]byte, error)
	Down(ctx context.Context) error
}

// composed are the containers of compose files.
type composed struct {
	*compose.Project
	service string // that requests go to, at this port
	port    int
}

func (c composed) Address(ctx context.Context) (string, error) {
	return c.Project.Address(ctx, c.service, c.port)
}

// newContainers returns what the case's fixture describes, and the name of what requests go
// to; "" when it names nothing of the kind. Their telemetry comes to the gate, an address of
// this machine.
func (r *runner) newContainers(gate string) (all containers, service string) {
	f, attributes := r.c.Fixture, runid.Attribute+"="+r.scope.RunID
	if f.Kind == cases.K3D {
		c := f.Cluster
		return &k3d.Application{
			Host: r.cluster, Gate: gate, Dir: r.c.Dir(), Manifests: c.K8sDir, Service: c.AppService,
			DockerFile: c.AppDockerFile, Context: c.AppDockerContext, Tag: c.AppDockerTag, Images: c.ImportImages, Attributes: attributes,
		}, c.AppService
	}
	project := &compose.Project{Name: "lab-check-" + r.scope.RunID, Dir: r.c.Dir(), Files: f.Files, Env: f.Env, Attributes: attributes}
	return composed{project, f.AppService, f.AppPort}, f.AppService
}

// startContainers brings the containers of the case's fixture up, and waits until its
// application answers. It returns false after a failure, which the outcome then has.
func (r *runner) startContainers(ctx context.Context) bool {
	began := time.Now()
	service, err := r.bringUp(ctx)
	if err == nil && service != "" {
		err = r.awaitContainer(ctx, service)
	}
	if ctx.Err() != nil {
		return false
	}
	c := report.Check{Name: "containers", Status: report.Pass, Duration: time.Since(began), Measured: "up after " + report.Elapsed(time.Since(began))}
	if err != nil {
		said, more, _ := strings.Cut(err.Error(), "\n")
		c.Status, c.Measured, c.Expected = report.Fail, said, "they start, and the application answers"
		c.Detail = strings.TrimSpace(more + "\n" + r.lastOutput(ctx))
	}
	r.out.add(r.c.Fixture.At, c)
	return err == nil
}

// bringUp brings the containers up, and returns the name of what requests go to.
func (r *runner) bringUp(ctx context.Context) (service string, err error) {
	if r.At.TLS != nil {
		return "", errors.New("containers have no certificate of the lab's, which is closed; run the case against an open lab")
	}
	gate, err := r.openGate(ctx)
	if err != nil {
		return "", err
	}
	r.containers, service = r.newContainers(gate)
	ctx, cancel := context.WithTimeout(ctx, startContainers)
	defer cancel()
	return service, r.containers.Up(ctx)
}

// awaitContainer waits until the application answers at a port of this machine. One of which
// no input asks anything need not answer.
func (r *runner) awaitContainer(ctx context.Context, service string) error {
	address, err := r.containers.Address(ctx)
	if err != nil {
		return err
	}
	r.base = "http://" + address
	if len(r.c.Input) == 0 {
		return nil
	}
	for began := time.Now(); !application.Answers(ctx, r.base+"/"); {
		if time.Since(began) > r.Timeout {
			return fmt.Errorf("the service %s does not answer after %s; in a container it must listen on every address, not on 127.0.0.1 alone", service, r.Timeout)
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
		said, advice, _ := strings.Cut(err.Error(), "\n")
		r.out.add(r.c.Fixture.At, report.Check{
			Name: "containers end", Status: report.Fail, Measured: said, Expected: "they are removed", Detail: advice,
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
