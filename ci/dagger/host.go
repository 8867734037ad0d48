package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Up brings the lab up on Kind on this machine's Docker, where it stays.
//
// The frontend is on localhost:8080 and Grafana on localhost:3000; it prints these
// addresses and Grafana's password. Call it again after an edit: only what has
// changed is built and rolled out.
// +cache="never"
func (m *LgtmLab) Up(ctx context.Context,
	// The socket of this machine's Docker; the .env beside dagger.json names it.
	docker *dagger.Socket,
	// The address of this machine to publish the ports on.
	// +default="127.0.0.1"
	listen string,
) (string, error) {
	c, err := m.outside(ctx, docker)
	if err != nil {
		return "", err
	}
	return c.
		WithExec([]string{"lab", "up", "--ground", "kind", "--images", "/lock.json", "--archives", "/archives", "--listen", listen}).
		Stdout(ctx)
}

// Down removes what up has brought up: cluster, network and data.
// +cache="never"
func (m *LgtmLab) Down(ctx context.Context,
	// The socket of this machine's Docker; the .env beside dagger.json names it.
	docker *dagger.Socket,
) (string, error) {
	c, err := m.outside(ctx, docker)
	if err != nil {
		return "", err
	}
	return c.WithExec([]string{"lab", "down", "--ground", "kind"}).Stdout(ctx)
}

// outside is the runner with this machine's Docker.
func (m *LgtmLab) outside(ctx context.Context, docker *dagger.Socket) (*dagger.Container, error) {
	runner, err := m.runner(ctx)
	if err != nil {
		return nil, err
	}
	return always(runner.
		WithUnixSocket("/var/run/docker.sock", docker).
		WithEnvVariable("DOCKER_HOST", "unix:///var/run/docker.sock")), nil
}
