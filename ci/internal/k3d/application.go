package k3d

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
)

// rolloutWithin bounds the wait until an application's workloads are ready: their images may
// have to be pulled. It is that of grafana/oats.
const rolloutWithin = 5 * time.Minute

// Application is an application in the cluster of a [Host].
type Application struct {
	Host *Host
	// Gate is the address of this machine at which the lab takes the telemetry of containers.
	Gate string
	// Dir is the folder that the other paths are relative to.
	Dir string
	// Manifests is the folder with the application's manifests.
	Manifests string
	// Service is the Service that requests go to; "" when none do.
	Service string
	// DockerFile, Context and Tag say how `docker build` makes the application's image, and
	// its name; without a DockerFile none is made. An empty Context is Dir.
	DockerFile, Context, Tag string
	// Images are more images that the cluster gets from this machine's Docker, if that has
	// them.
	Images []string
	// Attributes are resource attributes that every container's telemetry is to have, as
	// OTEL_RESOURCE_ATTRIBUTES has them.
	Attributes string

	holds   bool // it is the application's turn to use the cluster
	in      kubernetes
	objects []object
}

// Up builds the application's image, brings the application into the cluster, and returns when
// its workloads are ready. After it, also when it has failed, the application needs a Down.
func (a *Application) Up(ctx context.Context) error {
	all, err := read(filepath.Join(a.Dir, a.Manifests))
	if err != nil {
		return err
	}
	all, namespaces := withoutStack(all)
	for _, o := range all {
		if containers := o.containers(); len(containers) > 0 {
			o.metadata()["namespace"] = o.namespace()
			for _, c := range containers {
				c.addAttributes(a.Attributes)
			}
		}
	}
	if a.Service != "" {
		way, err := door(all, a.Service)
		if err != nil {
			return err
		}
		all = append(all, way...)
	}
	if err := a.build(ctx); err != nil {
		return err
	}
	if err := a.enter(ctx); err != nil {
		return err
	}
	ways, err := a.toLab(ctx, namespaces)
	if err != nil {
		return err
	}
	a.objects = append(all, ways...)
	if err := a.load(ctx); err != nil {
		return err
	}
	return a.apply(ctx)
}

// enter waits for the application's turn to use the cluster, and deletes what the case before
// has left there.
func (a *Application) enter(ctx context.Context) (err error) {
	if err := a.Host.take(ctx); err != nil {
		return err
	}
	a.holds = true
	if a.in, err = a.Host.cluster(ctx); err != nil {
		return err
	}
	return a.Host.clear(ctx, a.in)
}

// toLab returns the objects that lead from the namespaces to the lab.
func (a *Application) toLab(ctx context.Context, namespaces []string) ([]object, error) {
	address, err := outside(ctx, a.in, a.Gate)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, namespace := range namespaces {
		services, err := stack(namespace, address)
		if err != nil {
			return nil, err
		}
		all = append(all, services...)
	}
	return all, nil
}

// build makes the application's image.
func (a *Application) build(ctx context.Context) error {
	if a.DockerFile == "" {
		return nil
	}
	args := []string{"build", "--quiet", "--file", a.DockerFile}
	if a.Tag != "" {
		args = append(args, "--tag", a.Tag)
	}
	return a.docker(ctx, append(args, cmp.Or(a.Context, "."))...)
}

// load gives the cluster the images that this machine's Docker has. The cluster pulls the
// others.
func (a *Application) load(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "lab-check-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var files []string
	for i, image := range images(a.objects) {
		if image != a.Tag && !slices.Contains(a.Images, image) {
			continue
		}
		if err := a.docker(ctx, "image", "inspect", "--format", "{{.Id}}", image); err != nil {
			if image == a.Tag {
				return err
			}
			continue
		}
		file := filepath.Join(dir, strconv.Itoa(i)+".tar")
		if err := a.docker(ctx, "save", "--output", file, image); err != nil {
			return err
		}
		files = append(files, file)
	}
	_, err = a.in.Load(ctx, files)
	return err
}

// docker runs the docker command in the folder of the case.
func (a *Application) docker(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "docker", args...)
	cmd.Dir = a.Dir
	out, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err != nil {
		return fmt.Errorf("docker %s: %s", args[0], cmp.Or(strings.Join(tail.Lines(string(out), 1), ""), err.Error()))
	}
	return nil
}

// apply brings the objects into the cluster and waits for the workloads among them.
func (a *Application) apply(ctx context.Context) error {
	raw, err := document(a.objects)
	if err != nil {
		return err
	}
	a.Host.left = raw
	applied, err := deploy.Apply(ctx, a.in, raw)
	if err != nil {
		return err
	}
	_, err = deploy.Rollout(ctx, a.in, deploy.Workloads(applied.Objects), deploy.RolloutOptions{Timeout: rolloutWithin})
	if stuck, ok := errors.AsType[*deploy.Stuck](err); ok {
		for _, f := range stuck.Failures {
			if f.Obstacle != nil {
				err = fmt.Errorf("%w\n%s: %s", err, f.Name, f.Obstacle.Message)
			}
		}
	}
	return err
}

// Address returns the host and port of this machine that lead to the application.
func (a *Application) Address(context.Context) (string, error) {
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(a.Host.port)), nil
}

// Run fails: a command needs the containers of a compose file.
func (a *Application) Run(context.Context, string, []string) ([]byte, error) {
	return nil, errors.New("a command in a container needs a compose fixture")
}

// Logs returns what the application's containers have printed.
func (a *Application) Logs(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	for _, namespace := range a.namespaces() {
		pods, err := a.in.Kubectl(ctx, nil, "get", "pods", "--namespace="+namespace, "--output=name")
		if err != nil {
			return nil, err
		}
		for pod := range strings.FieldsSeq(string(pods)) {
			// A container that has not started yet has no log, and that is no error here.
			_ = a.in.KubectlTo(ctx, &out, nil, "logs", pod, "--namespace="+namespace, "--all-containers", "--tail=-1")
		}
	}
	return out.Bytes(), nil
}

// namespaces are those of the application's workloads.
func (a *Application) namespaces() []string {
	var all []string
	for _, o := range a.objects {
		if len(o.containers()) > 0 {
			all = append(all, o.namespace())
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// Down lets the next case use the cluster. What the application has in it is deleted when
// that case begins, or with the cluster.
func (a *Application) Down(context.Context) error {
	if a.holds {
		a.holds = false
		a.Host.free.Release(1)
	}
	return nil
}
