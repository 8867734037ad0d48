package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Up brings the lab up on Kind on this machine's Docker, where it stays.
//
// The frontend is on localhost:8080 and Grafana on localhost:3000; Up prints these
// addresses and Grafana's password. Call it again after an edit: it builds and rolls out
// only the parts that have changed.
// +cache="never"
func (m *LgtmLab) Up(ctx context.Context,
	// The socket of this machine's Docker; the .env beside dagger.json names it.
	docker *dagger.Socket,
	// The address of this machine to publish the ports on.
	// +default="127.0.0.1"
	listen string,
	// Another port than the usual one, as NAME=NUMBER: frontend, grafana or api,
	// the Kubernetes API server.
	// +optional
	port []string,
	// Replace a cluster that was made with other settings or does not come to life; its
	// data is lost.
	// +optional
	recreate bool,
	// Go on although something seems to be missing.
	// +optional
	noPreflight bool,
	// Keep the facts of what every service sends, for `lab inspect` and `lab score`.
	// +optional
	inspect bool,
	// The http or https URL of another OTLP endpoint that gets a copy of all telemetry.
	// +optional
	forward string,
	// The headers that this endpoint wants, a line for each: Authorization: Bearer …
	// +optional
	forwardHeaders *dagger.Secret,
) (string, error) {
	runner, err := m.runner(ctx)
	if err != nil {
		return "", err
	}
	args := []string{"lab", "up", "--target", "kind", "--images", "/lock.json", "--archives", "/archives", "--listen", listen}
	for _, assignment := range port {
		args = append(args, "--port", assignment)
	}
	if recreate {
		args = append(args, "--recreate")
	}
	if noPreflight {
		args = append(args, "--no-preflight")
	}
	if inspect {
		args = append(args, "--inspect")
	}
	if forward != "" {
		args = append(args, "--forward", forward)
	}
	if forwardHeaders != nil {
		runner = runner.WithMountedSecret("/run/forward-headers", forwardHeaders)
		args = append(args, "--forward-headers", "/run/forward-headers")
	}
	return on(runner, docker).WithExec(args).Stdout(ctx)
}

// Down removes the cluster that Up has made, with its network and its data.
// +cache="never"
func (m *LgtmLab) Down(ctx context.Context,
	// The socket of this machine's Docker; the .env beside dagger.json names it.
	docker *dagger.Socket,
) (string, error) {
	client, err := m.client(ctx)
	if err != nil {
		return "", err
	}
	return on(client, docker).WithExec([]string{"lab", "down", "--target", "kind"}).Stdout(ctx)
}

// on gives the container this machine's Docker.
func on(c *dagger.Container, docker *dagger.Socket) *dagger.Container {
	return always(c.
		WithUnixSocket("/var/run/docker.sock", docker).
		WithEnvVariable("DOCKER_HOST", "unix:///var/run/docker.sock"))
}
