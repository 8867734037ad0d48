package main

import (
	"context"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Verify brings a lab up on Kind and proves that its telemetry flows.
//
// It needs nothing but an engine, prints the table of what was measured, and fails
// when a check does.
// +cache="never"
func (m *LgtmLab) Verify(ctx context.Context,
	// The traffic that completeness is proved with: smoke, steady or heavy.
	// +default="smoke"
	traffic string,
) (string, error) {
	c, err := m.inside(ctx)
	if err != nil {
		return "", err
	}
	return c.
		WithExec(up()).
		WithExec([]string{"lab", "verify", "--target", "kind", "--traffic", traffic}).
		Stdout(ctx)
}

// Evidence does what verify does and returns what CI keeps, whatever the outcome.
//
// verify.txt is the table, verify.json and junit.xml the same for programs;
// snapshot.html shows every panel of the dashboards, for people. The file passed
// says true or false. up.txt and up.log are what bringing the lab up has printed: when
// that fails they say why, and there is nothing else.
// +cache="never"
func (m *LgtmLab) Evidence(ctx context.Context,
	// The traffic that completeness is proved with: smoke, steady or heavy.
	// +default="smoke"
	traffic string,
) (*dagger.Directory, error) {
	c, err := m.inside(ctx)
	if err != nil {
		return nil, err
	}
	brought := c.
		WithDirectory("/evidence", dag.Directory()).
		WithExec(up(), dagger.ContainerWithExecOpts{
			Expect: dagger.ReturnTypeAny, RedirectStdout: "/evidence/up.txt", RedirectStderr: "/evidence/up.log",
		})
	if code, err := brought.ExitCode(ctx); err != nil || code != 0 {
		return brought.WithNewFile("/evidence/passed", "false\n").Directory("/evidence"), err
	}
	verified := brought.
		WithExec([]string{"lab", "verify", "--target", "kind", "--traffic", traffic, "--json", "/evidence/verify.json", "--junit", "/evidence/junit.xml"},
			dagger.ContainerWithExecOpts{Expect: dagger.ReturnTypeAny, RedirectStdout: "/evidence/verify.txt"})
	code, err := verified.ExitCode(ctx)
	if err != nil {
		return nil, err
	}
	return verified.
		WithNewFile("/evidence/passed", strconv.FormatBool(code == 0)+"\n").
		WithExec([]string{"lab", "snapshot", "--target", "kind", "/evidence/snapshot.html"},
			dagger.ContainerWithExecOpts{Expect: dagger.ReturnTypeAny}).
		Directory("/evidence"), nil
}

// Traffic brings a lab up on Kind, sends it requests and returns the report.
//
// It fails when anything but what was asked for has happened.
// +cache="never"
func (m *LgtmLab) Traffic(ctx context.Context,
	// The profile: smoke, steady or heavy.
	// +default="smoke"
	profile string,
) (string, error) {
	c, err := m.inside(ctx)
	if err != nil {
		return "", err
	}
	return c.
		WithExec(up()).
		WithExec([]string{"lab", "traffic", profile, "--target", "kind"}).
		Stdout(ctx)
}
