package main

import (
	"context"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// The ports that the cluster inside the engine publishes, each on the address of
// its dockerd, which only containers that are bound to it reach.
var published = map[string]int{"frontend": 8080, "grafana": 3000, "api": 6443}

// Cluster is a Kubernetes cluster by Kind in a container inside the engine. What
// is in it stays from one call to the next; it runs as long as a call does.
type Cluster struct {
	// A container that reaches the cluster's container runtime, with the lab's
	// command in it.
	// +private
	Runner *dagger.Container
}

// Cluster makes a Kubernetes cluster, by Kind in a container.
//
// It is inside the engine and takes no lab along, but keeps what an earlier call
// has put there.
// +cache="never"
func (m *LgtmLab) Cluster(ctx context.Context,
	// Nodes besides the control plane; another number makes the cluster anew.
	// +optional
	workers int,
) (*Cluster, error) {
	c, err := m.inside(ctx, "node")
	if err != nil {
		return nil, err
	}
	c, err = c.WithExec(kind([]string{"cluster", "up"}, "--workers", strconv.Itoa(workers))).Sync(ctx)
	if err != nil {
		return nil, err
	}
	return &Cluster{Runner: c}, nil
}

// Kubectl runs kubectl as administrator: `kubectl --args get,pods,-A`.
// +cache="never"
func (c *Cluster) Kubectl(ctx context.Context,
	// What to tell kubectl.
	args []string,
) (string, error) {
	return always(c.Runner).WithExec(append([]string{"lab", "cluster", "kubectl"}, args...)).Stdout(ctx)
}

// Kubeconfig is a file for a kubectl of your own.
//
// `cluster kubeconfig export --path kubeconfig` writes it. It is for the address
// https://localhost:6443, which `cluster api up --ports 6443:6443` opens.
// +cache="never"
func (c *Cluster) Kubeconfig() *dagger.File {
	return always(c.Runner).
		WithExec([]string{"lab", "cluster", "kubeconfig", "--server", "https://localhost:6443"},
			dagger.ContainerWithExecOpts{RedirectStdout: "/kubeconfig"}).
		File("/kubeconfig")
}

// API is the Kubernetes API server as a service, on port 6443.
func (c *Cluster) API() *dagger.Service { return forward(c.Runner, "api") }

// forward is a service with the ports of those names, which lead into the cluster
// and nowhere else: what else the cluster's container runtime listens on stays
// inside the engine.
func forward(runner *dagger.Container, names ...string) *dagger.Service {
	for _, name := range names {
		runner = runner.WithExposedPort(published[name])
	}
	return runner.AsService(dagger.ContainerAsServiceOpts{
		Args: append([]string{"lab", "cluster", "forward", "--listen", "0.0.0.0"}, names...),
	})
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

// client is a container with Docker's client, the lab's command and the checkout.
func (m *LgtmLab) client(ctx context.Context) (*dagger.Container, error) {
	c, err := m.image(ctx, "docker", "")
	if err != nil {
		return nil, err
	}
	program, err := m.program(ctx)
	if err != nil {
		return nil, err
	}
	return c.
		WithoutEntrypoint().
		WithFile("/usr/local/bin/lab", program).
		WithMountedDirectory("/src", m.Source).
		WithWorkdir("/src"), nil
}

// runner is a client with images as files: all of them, or only those named.
func (m *LgtmLab) runner(ctx context.Context, only ...string) (*dagger.Container, error) {
	c, err := m.client(ctx)
	if err != nil {
		return nil, err
	}
	archives, err := m.archives(ctx, only...)
	if err != nil {
		return nil, err
	}
	return c.
		WithMountedDirectory("/archives", archives).
		WithMountedFile("/lock.json", m.Images), nil
}

// inside is the runner with a container runtime inside the engine, which runs
// until the call ends.
func (m *LgtmLab) inside(ctx context.Context, only ...string) (*dagger.Container, error) {
	runner, err := m.runner(ctx, only...)
	if err != nil {
		return nil, err
	}
	docker, err := m.dockerd(ctx)
	if err != nil {
		return nil, err
	}
	// Without this it would stop ten seconds after the last command that uses it,
	// and take the cluster along.
	if docker, err = docker.Start(ctx); err != nil {
		return nil, err
	}
	return always(runner.
		WithServiceBinding("docker", docker).
		WithEnvVariable("DOCKER_HOST", "tcp://docker:2375")), nil
}

// kind is a command of `lab` that makes a cluster inside the engine. Nobody's data
// is in that: when it is not as this call needs it, it is made anew.
func kind(command []string, flags ...string) []string {
	return append(append(append([]string{"lab"}, command...), "--images", "/lock.json", "--archives", "/archives",
		"--listen", "0.0.0.0", "--port", "api="+strconv.Itoa(published["api"]), "--recreate"), flags...)
}

// up is the command that brings the lab up inside the engine, on one node.
func up() []string { return kind([]string{"up", "--target", "kind"}, "--workers", "0") }
