package main

import (
	"context"
	"strconv"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// The ports that the cluster inside the engine publishes, each on the address of its
// dockerd. Only containers that are bound to that dockerd reach them.
var published = map[string]int{"frontend": 8080, "grafana": 3000, "api": 6443}

// Cluster is a Kubernetes cluster, made by Kind in a container inside the engine. The
// cluster runs as long as a call does; its objects stay for the next call.
type Cluster struct {
	// A container that reaches the cluster's container runtime, with the lab's
	// command in it.
	// +private
	Runner *dagger.Container
}

// Cluster makes a Kubernetes cluster, by Kind in a container inside the engine.
//
// It brings no lab up. The cluster keeps the objects of earlier calls.
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
	// The arguments of kubectl.
	args []string,
) (string, error) {
	return always(c.Runner).WithExec(append([]string{"lab", "cluster", "kubectl"}, args...)).Stdout(ctx)
}

// Kubeconfig returns a file for a kubectl of your own.
//
// `cluster kubeconfig export --path kubeconfig` writes the file. It names the address
// https://localhost:6443, which `cluster api up --ports 6443:6443` opens.
// +cache="never"
func (c *Cluster) Kubeconfig() *dagger.File {
	return always(c.Runner).
		WithExec([]string{"lab", "cluster", "kubeconfig", "--server", "https://localhost:6443"},
			dagger.ContainerWithExecOpts{RedirectStdout: "/kubeconfig"}).
		File("/kubeconfig")
}

// API returns the Kubernetes API server as a service, on port 6443.
func (c *Cluster) API() *dagger.Service { return forward(c.Runner, "api") }

// forward returns a service with the named ports, which lead into the cluster. The other
// ports of the cluster's container runtime stay inside the engine.
func forward(runner *dagger.Container, names ...string) *dagger.Service {
	for _, name := range names {
		runner = runner.WithExposedPort(published[name])
	}
	return runner.AsService(dagger.ContainerAsServiceOpts{
		Args: append([]string{"lab", "cluster", "forward", "--listen", "0.0.0.0"}, names...),
	})
}

// dockerd returns a container runtime inside the engine. It keeps its data from one call
// to the next, so that images are loaded once.
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
			// Run the image's script, because it prepares cgroups and iptables.
			Args:                     []string{"dockerd-entrypoint.sh", "dockerd", "--host=tcp://0.0.0.0:2375", "--tls=false"},
			InsecureRootCapabilities: true,
		}), nil
}

// client returns a container with Docker's client, the lab's command and the checkout.
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

// runner returns a client with images as files: all images, or only the named ones.
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

// inside returns the runner with a container runtime inside the engine, which runs until
// the call ends.
func (m *LgtmLab) inside(ctx context.Context, only ...string) (*dagger.Container, error) {
	runner, err := m.runner(ctx, only...)
	if err != nil {
		return nil, err
	}
	docker, err := m.dockerd(ctx)
	if err != nil {
		return nil, err
	}
	// Without this the runtime, and the cluster in it, would stop ten seconds after the
	// last command that uses them.
	if docker, err = docker.Start(ctx); err != nil {
		return nil, err
	}
	return always(runner.
		WithServiceBinding("docker", docker).
		WithEnvVariable("DOCKER_HOST", "tcp://docker:2375")), nil
}

// kind returns a command of `lab` that makes a cluster inside the engine. That cluster has
// no user's data, so the command replaces a cluster with other settings.
func kind(command []string, flags ...string) []string {
	return append(append(append([]string{"lab"}, command...), "--images", "/lock.json", "--archives", "/archives",
		"--listen", "0.0.0.0", "--port", "api="+strconv.Itoa(published["api"]), "--recreate"), flags...)
}

// up returns the command that brings the lab up inside the engine, on one node.
func up() []string { return kind([]string{"up", "--target", "kind"}, "--workers", "0") }
