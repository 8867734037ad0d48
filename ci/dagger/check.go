package main

import "context"

// Test runs go vet, and the tests that need no browser and no stack.
//
// `verify` proves the whole lab.
// +check
func (m *LgtmLab) Test(ctx context.Context) error {
	c, err := m.golang(ctx)
	if err != nil {
		return err
	}
	_, err = c.
		WithExec([]string{"go", "vet", "./..."}).
		WithExec([]string{"go", "test", "-short", "./..."}).
		Sync(ctx)
	return err
}

// Lint runs golangci-lint, as pinned in ci/tools, on the repository.
// +check
func (m *LgtmLab) Lint(ctx context.Context) error {
	c, err := m.golang(ctx)
	if err != nil {
		return err
	}
	_, err = c.
		WithExec([]string{"go", "tool", "-modfile=ci/tools/go.mod", "golangci-lint", "run", "./..."}).
		Sync(ctx)
	return err
}
