package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Where things are in a container with a lab.
const (
	labPrograms = "/opt/lgtm-lab/programs"
	labLock     = "/opt/lgtm-lab/images.json"
)

// OTLP returns a lab as a service that takes the telemetry of your own application.
//
// It has Loki, Tempo, Mimir, Alloy and Grafana, without the sample services, outside of
// any cluster. Its ports are 4317 for OTLP over gRPC, 4318 over HTTP, 3000 for Grafana,
// 3100 for Loki, 3200 for Tempo and 9009 for Mimir. Another module binds it to a container:
// `WithServiceBinding("lab", dag.LgtmLab().Otlp())`, which then sends to http://lab:4318.
// Dagger gives each command an OTEL_EXPORTER_OTLP_ENDPOINT of its own: set it in the command.
// `otlp up --ports 4318:4318,3000:3000` opens it on this machine until Ctrl-C.
// +cache="never"
func (m *LgtmLab) OTLP(ctx context.Context) (*dagger.Service, error) {
	c, err := m.image(ctx, "golang", "")
	if err != nil {
		return nil, err
	}
	if c, err = m.withLab(ctx, c); err != nil {
		return nil, err
	}
	for _, port := range []int{4317, 4318, 3100, 3200, 9009} {
		c = c.WithExposedPort(port)
	}
	return c.
		WithExposedPort(3000, dagger.ContainerWithExposedPortOpts{ExperimentalSkipHealthcheck: true}). // a mirror may have no Grafana
		AsService(dagger.ContainerAsServiceOpts{Args: append([]string{"lab", "up", "--no-services", "--inspect", "--listen", "0.0.0.0"}, labFlags...)}), nil
}

// Check runs acceptance cases for your own application against a lab of their own.
//
// It prints a table with a line for each check, and fails when a case does not hold. A case
// whose `run:` starts an application needs that application's toolchain: give a container
// that has it.
// +cache="never"
func (m *LgtmLab) Check(ctx context.Context, with struct { // so that one can be called case
	// The folder with the cases, and with what they run.
	Source *dagger.Directory
	// The cases: files and folders in the source.
	// +default=["."]
	Case []string
	// The container in which the cases run. The default has Go.
	// +optional
	Container *dagger.Container
	// How long an application may take to be ready, and then an expectation to hold. An
	// application that is compiled when it starts needs more than the default, 30s.
	// +default="30s"
	CaseTimeout string
}) (string, error) {
	container := with.Container
	if container == nil {
		var err error
		if container, err = m.golangCaches(ctx); err != nil {
			return "", err
		}
	}
	c, err := m.withLab(ctx, container)
	if err != nil {
		return "", err
	}
	args := append([]string{"lab", "check", "--up", "--inspect", "--case-timeout", with.CaseTimeout}, labFlags...)
	return always(c).
		WithMountedDirectory("/application", with.Source).
		WithWorkdir("/application").
		WithExec(append(append(args, "--"), with.Case...)).
		Stdout(ctx)
}

// labFlags are the flags of a command that brings a lab up in a container of withLab.
var labFlags = []string{"--stack", "images", "--cache", labPrograms, "--images", labLock}

// withLab adds the lab's command and the stack's programs to a container.
func (m *LgtmLab) withLab(ctx context.Context, c *dagger.Container) (*dagger.Container, error) {
	program, err := m.program(ctx)
	if err != nil {
		return nil, err
	}
	programs, err := m.stackPrograms(ctx)
	if err != nil {
		return nil, err
	}
	return c.
		WithoutEntrypoint().
		WithFile("/usr/local/bin/lab", program).
		WithMountedDirectory(labPrograms, programs).
		WithMountedFile(labLock, m.Images).
		WithEnvVariable("LAB_DIR", "/var/lib/lgtm-lab"), nil
}

// stackPrograms returns the stack's programs, taken out of their images, as the cache of a
// lab that runs them.
func (m *LgtmLab) stackPrograms(ctx context.Context) (*dagger.Directory, error) {
	c, err := m.golang(ctx)
	if err != nil {
		return nil, err
	}
	program, err := m.program(ctx)
	if err != nil {
		return nil, err
	}
	archives, err := m.archives(ctx, workloads...)
	if err != nil {
		return nil, err
	}
	return c.
		WithFile("/usr/local/bin/lab", program).
		WithMountedFile(labLock, m.Images).
		WithMountedDirectory("/archives", archives).
		WithExec(append([]string{"lab", "stack", "build", "--archives", "/archives"}, labFlags...)).
		Directory(labPrograms), nil
}
