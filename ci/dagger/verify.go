package main

import (
	"context"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Verify brings a lab up on Kind and proves that its telemetry flows.
//
// It needs nothing but an engine. It prints a table of the measured values, and fails
// when a check fails.
// +cache="never"
func (m *LgtmLab) Verify(ctx context.Context,
	// The traffic for the proof of completeness: smoke, steady or heavy.
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

// Evidence verifies the lab as verify does, and returns files for CI, also on failure.
//
// verify.txt is the table, verify.json and junit.xml are the same for programs;
// snapshot.html shows every panel of the dashboards, for people. The file passed
// contains true or false. up.txt and up.log are the output of bringing the lab up: when
// that fails, they say why, and the other files are missing.
// +cache="never"
func (m *LgtmLab) Evidence(ctx context.Context,
	// The traffic for the proof of completeness: smoke, steady or heavy.
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
// It fails when a request was not sent, or when its answer was not the expected one.
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
