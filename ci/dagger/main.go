// The observability lab on Kind, brought up, driven and verified by Dagger.
//
// The engine pulls every image once, by the digest in config/images.json, builds the
// services, and passes all images as archives to a Kubernetes cluster, which pulls
// nothing. The program in ci/lab does the work in the cluster, with Dagger and without.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/dagger/internal/dagger"
)

// LgtmLab is the lab of one checkout.
type LgtmLab struct {
	// +private
	Source *dagger.Directory
	// +private
	Images *dagger.File
}

// New returns the lab of the checkout that the module is in.
func New(
	// The checkout to build from.
	// +defaultPath="/"
	// +ignore=[".git", ".lab", ".env", "lab-snapshot.html", "lab-snapshot.png", "lab", "lab.exe", "evidence", "archives", "**/kubeconfig", "**/*.kubeconfig", "**/node_modules", "examples/browser/dist"]
	source *dagger.Directory,
	// Another image lock, such as that of a mirror or of a registry in a network without
	// internet. The default is config/images.json of the checkout.
	// +optional
	images *dagger.File,
) *LgtmLab {
	if images == nil {
		images = source.File("config/images.json")
	}
	return &LgtmLab{Source: source, Images: images}
}

// image returns a container of the named image of the lock.
func (m *LgtmLab) image(ctx context.Context, name string, platform dagger.Platform) (*dagger.Container, error) {
	raw, err := m.Images.Contents(ctx)
	if err != nil {
		return nil, err
	}
	var lock struct {
		Images map[string]string `json:"images"`
	}
	if err := json.Unmarshal([]byte(raw), &lock); err != nil {
		return nil, fmt.Errorf("the image lock is not JSON: %w", err)
	}
	ref, ok := lock.Images[name]
	if !ok {
		return nil, fmt.Errorf("the image lock has no %q", name)
	}
	return dag.Container(dagger.ContainerOpts{Platform: platform}).From(ref), nil
}

// golang returns a container with the Go toolchain and the checkout, and with caches that
// stay from one call to the next.
func (m *LgtmLab) golang(ctx context.Context) (*dagger.Container, error) {
	c, err := m.golangCaches(ctx)
	if err != nil {
		return nil, err
	}
	return c.
		WithEnvVariable("CGO_ENABLED", "0").
		WithEnvVariable("GOFLAGS", "-buildvcs=false").
		WithMountedDirectory("/src", m.Source).
		WithWorkdir("/src"), nil
}

// golangCaches returns a container with the Go toolchain and its caches.
func (m *LgtmLab) golangCaches(ctx context.Context) (*dagger.Container, error) {
	c, err := m.image(ctx, "golang", "")
	if err != nil {
		return nil, err
	}
	return c.
		WithMountedCache("/go/pkg/mod", dag.CacheVolume("lgtm-lab-go-mod")).
		WithMountedCache("/root/.cache/go-build", dag.CacheVolume("lgtm-lab-go-build")), nil
}

// program returns the lab's command, built for Linux.
func (m *LgtmLab) program(ctx context.Context) (*dagger.File, error) {
	c, err := m.golang(ctx)
	if err != nil {
		return nil, err
	}
	return c.WithExec([]string{"go", "build", "-trimpath", "-o", "/out/lab", "./ci/lab"}).File("/out/lab"), nil
}

// always makes the commands that follow run each time, instead of taking their results from
// the cache: a cluster may have changed since the last call.
func always(c *dagger.Container) *dagger.Container {
	return c.WithEnvVariable("LAB_CALL", time.Now().Format(time.RFC3339Nano))
}
