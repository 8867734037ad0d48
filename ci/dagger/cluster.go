package main

import (
	"context"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// Cluster is a Kubernetes cluster by Kind in a container. It lives as long as the
// call that asked for it.
type Cluster struct {
	// A container that reaches the cluster's container runtime, with the lab's
	// command in it.
	// +private
	Runner *dagger.Container
}

// dockerd is a container runtime of its own inside the engine. What it stores
// stays from one call to the next, so that images are loaded once.
func (m *LgtmLab) dockerd(ctx context.Context) (*dagger.Service, error) {
	c, err := m.image(ctx, "docker", "")
	if err != nil {
		return nil, err
	}
	return c.
		WithMountedCache("/var/lib/docker", dag.CacheVolume("lgtm-lab-docker"),
			dagger.ContainerWithMountedCacheOpts{Sharing: dagger.CacheSharingModeLocked}).
		WithExposedPort(2375).
		AsService(dagger.ContainerAsServiceOpts{
			// The image's script, because it prepares cgroups and iptables.
			Args:                     []string{"dockerd-entrypoint.sh", "dockerd", "--host=tcp://0.0.0.0:2375", "--tls=false"},
			InsecureRootCapabilities: true,
		}), nil
}

// runner is a container with Docker's client, the lab's command, the checkout and
// every image as a file.
func (m *LgtmLab) runner(ctx context.Context) (*dagger.Container, error) {
	c, err := m.image(ctx, "docker", "")
	if err != nil {
		return nil, err
	}
	program, err := m.program(ctx)
	if err != nil {
		return nil, err
	}
	archives, err := m.archives(ctx)
	if err != nil {
		return nil, err
	}
	return c.
		WithoutEntrypoint().
		WithFile("/usr/local/bin/lab", program).
		WithMountedDirectory("/src", m.Source).
		WithMountedDirectory("/archives", archives).
		WithMountedFile("/lock.json", m.Images).
		WithWorkdir("/src"), nil
}

// inside is the runner with a container runtime inside the engine.
func (m *LgtmLab) inside(ctx context.Context) (*dagger.Container, error) {
	runner, err := m.runner(ctx)
	if err != nil {
		return nil, err
	}
	docker, err := m.dockerd(ctx)
	if err != nil {
		return nil, err
	}
	return always(runner.
		WithServiceBinding("docker", docker).
		WithEnvVariable("DOCKER_HOST", "tcp://docker:2375")), nil
}

// up is the command that brings the lab up from the archives.
func up(flags ...string) []string {
	return append([]string{"lab", "up", "--ground", "kind", "--images", "/lock.json", "--archives", "/archives"}, flags...)
}
