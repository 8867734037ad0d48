package main

import (
	"context"

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
		WithExec([]string{"lab", "verify", "--ground", "kind", "--traffic", traffic}).
		Stdout(ctx)
}

// VerifyReport does what verify does and returns the report as a file, whatever
// the outcome: JUnit XML for a CI system, or JSON.
// +cache="never"
func (m *LgtmLab) VerifyReport(ctx context.Context,
	// The traffic that completeness is proved with: smoke, steady or heavy.
	// +default="smoke"
	traffic string,
	// junit or json.
	// +default="junit"
	format string,
) (*dagger.File, error) {
	c, err := m.inside(ctx)
	if err != nil {
		return nil, err
	}
	return c.
		WithExec(up()).
		WithExec([]string{"lab", "verify", "--ground", "kind", "--traffic", traffic, "--output", format},
			dagger.ContainerWithExecOpts{Expect: dagger.ReturnTypeAny, RedirectStdout: "/report"}).
		File("/report"), nil
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
		WithExec([]string{"lab", "traffic", profile, "--ground", "kind"}).
		Stdout(ctx)
}
