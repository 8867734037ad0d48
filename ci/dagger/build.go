package main

import (
	"context"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// workloads are the images that run in the cluster and are not built here.
var workloads = []string{"loki", "tempo", "mimir", "alloy", "grafana"}

// Build builds the images of frontend, backend and lab.
//
// It returns, for each image, an OCI archive with all platforms, an archive that docker
// and kind load, and the SBOMs; digests.json lists them. --publish also pushes the images.
// +cache="never"
func (m *LgtmLab) Build(ctx context.Context,
	// The platforms to build for.
	// +default=["linux/amd64", "linux/arm64"]
	platforms []string,
	// Push to this repository, as REPOSITORY/frontend and so on.
	// +optional
	publish string,
	// The user that pushes, with --publish.
	// +optional
	user string,
	// The user's password or token, such as env:REGISTRY_TOKEN.
	// +optional
	password *dagger.Secret,
) (*dagger.Directory, error) {
	c, err := m.builder(ctx, platforms)
	if err != nil {
		return nil, err
	}
	args := []string{"images", "build", "--images", "/lock.json", "--base", "/base.tar", "--base-exported", "--out", "/out", "--platform", strings.Join(platforms, ",")}
	if publish != "" {
		args = append(args, "--publish", publish)
		c = always(c)
		if user != "" && password != nil {
			args = append(args, "--user", user, "--password-file", "/run/password")
			c = c.WithMountedSecret("/run/password", password)
		}
	}
	return c.WithExec(append([]string{"lab"}, args...)).Directory("/out"), nil
}

// Reproduce builds the images twice and fails unless every digest is equal.
//
// It builds from copies of the checkout in two directories and without any cache.
// +cache="never"
func (m *LgtmLab) Reproduce(ctx context.Context,
	// The platforms to build for.
	// +default=["linux/amd64", "linux/arm64"]
	platforms []string,
) (string, error) {
	c, err := m.builder(ctx, platforms)
	if err != nil {
		return "", err
	}
	return always(c).
		WithExec([]string{"lab", "images", "reproduce", "--images", "/lock.json", "--base", "/base.tar", "--base-exported", "--platform", strings.Join(platforms, ",")}).
		Stdout(ctx)
}

// builder returns a Go container with the lab's command and the base image as a file. So
// only the engine needs a mirror and credentials to pull.
func (m *LgtmLab) builder(ctx context.Context, platforms []string) (*dagger.Container, error) {
	c, err := m.golang(ctx)
	if err != nil {
		return nil, err
	}
	program, err := m.program(ctx)
	if err != nil {
		return nil, err
	}
	var variants []*dagger.Container
	for _, p := range platforms {
		base, err := m.image(ctx, "base", dagger.Platform(p))
		if err != nil {
			return nil, err
		}
		variants = append(variants, base)
	}
	base := dag.Container().AsTarball(dagger.ContainerAsTarballOpts{PlatformVariants: variants})
	return c.
		WithFile("/usr/local/bin/lab", program).
		WithMountedFile("/base.tar", base).
		WithMountedFile("/lock.json", m.Images), nil
}

// archives returns every image that a cluster runs, or only the named images of the lock,
// as files for `lab up --archives`.
func (m *LgtmLab) archives(ctx context.Context, only ...string) (*dagger.Directory, error) {
	platform, err := dag.DefaultPlatform(ctx)
	if err != nil {
		return nil, err
	}
	c, err := m.builder(ctx, []string{string(platform)})
	if err != nil {
		return nil, err
	}
	names := only
	if len(only) == 0 {
		names = append([]string{"node"}, workloads...)
	}
	for _, name := range names {
		image, err := m.image(ctx, name, platform)
		if err != nil {
			return nil, err
		}
		c = c.WithMountedFile("/pulled/"+name+".tar", image.AsTarball())
	}
	c = c.WithExec([]string{"lab", "images", "pack", "--images", "/lock.json", "/pulled", "/archives"})
	if len(only) > 0 {
		return c.Directory("/archives"), nil
	}
	return c.
		WithExec([]string{"lab", "images", "build", "--images", "/lock.json", "--base", "/base.tar", "--base-exported", "--out", "/archives", "--platform", string(platform)}).
		Directory("/archives"), nil
}
