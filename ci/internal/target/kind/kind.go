// Package kind is the lab in a Kind cluster: the cluster and the images in it. It works
// through the container runtime and through the kubectl in the cluster's node; see the
// package cluster below it. What the lab does in any cluster is in the package kubernetes.
package kind

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/checkout"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/forward"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/images"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kubernetes"
)

// Options say which cluster the target is, and how its Up makes it.
type Options struct {
	// Name is the cluster's; empty is [cluster.DefaultName].
	Name string
	// Dir finds the lab's folder, which has the images and the last traffic.
	Dir func() (string, error)
	// Files finds the configuration and the checkout. Only methods that make something
	// call it.
	Files func() checkout.Files
	// Lock loads the image lock. Only methods that make something call it.
	Lock func() (images.Lock, error)
	// Ports are the host's ports, each as NAME=NUMBER. Ports that are left out stay as
	// in an existing cluster, or else are the usual ones.
	Ports []string
	// Faults lets requests ask for a slow or failing query.
	Faults bool
	// Retention is how long the backends keep data, whole hours.
	Retention retention.Periods
	// Inspect gives an inspector a copy of what services send.
	Inspect bool
	// Forward is another OTLP endpoint that gets a copy of what services send; the zero
	// value is none.
	Forward forward.Endpoint
	// Sampling is which traces are kept; the zero value keeps all.
	Sampling sampling.Traces
	// Workers is the number of nodes besides the control plane. A negative number keeps
	// the nodes of an existing cluster, and makes a new one without workers.
	Workers int
	// NodeImage is the reference of the nodes' image; empty is the lock's.
	NodeImage string
	// Archives is the path of a directory with images as files; "" means no directory.
	Archives string
	// Listen is the host's address that ports are published on; empty is the address of
	// an existing cluster, or else 127.0.0.1.
	Listen string
	// Timeout bounds the wait until every workload is ready.
	Timeout time.Duration
	// NoPreflight goes on although something seems to be missing.
	NoPreflight bool
	// MetricsServer adds metrics-server.
	MetricsServer bool
	// Recreate allows Up to replace a cluster that was made with other settings. The
	// cluster's data is then lost.
	Recreate bool
	// Say gets the lines of progress.
	Say func(line string)
	// Transfer returns a function that gets the progress of the named image's download.
	Transfer func(image string) func(done, total int64)
}

// Target is the lab in a Kind cluster, as the commands use it.
type Target struct {
	o Options
	// ports are the ports of Options.Ports, until settle fills in the others.
	ports hostPorts
	// anyPorts lets the runtime choose the ports that Options.Ports leaves out.
	anyPorts bool
}

var _ target.Remote = (*Target)(nil)

// New returns the target. It fails when the options make no sense. It does not look at the
// cluster yet.
func New(o Options) (*Target, error) {
	if o.Name == "" {
		o.Name = cluster.DefaultName
	}
	t := &Target{o: o}
	if err := t.ports.assign(o.Ports); err != nil {
		return nil, err
	}
	return t, t.ports.or(usualPorts).distinct()
}

// workloads are the lab's in the cluster c.
func (t *Target) workloads(c *cluster.Cluster) kubernetes.Workloads {
	return kubernetes.Workloads{
		Client: c, Target: target.Kind, Cluster: t.o.Name, Flags: t.flags(),
		KubectlCommand: command.Name() + " cluster kubectl", Pull: corev1.PullNever, Say: t.say,
	}
}

// flags choose this cluster on a command line of lab.
func (t *Target) flags() string {
	if t.o.Name == cluster.DefaultName {
		return "--target " + target.Kind
	}
	return "--target " + target.Kind + " --cluster " + t.o.Name
}

// cluster returns a handle on the existing cluster.
func (t *Target) cluster() *cluster.Cluster {
	return cluster.New(cluster.Config{Name: t.o.Name, Progress: t.say})
}

func (t *Target) say(line string) { t.o.Say("· " + line) }

// path returns a path in the lab's folder, and makes that folder. It refuses a folder that
// is not the lab's.
func (t *Target) path(elem ...string) (string, error) {
	dir, err := t.o.Dir()
	if err != nil {
		return "", err
	}
	folder, err := labdir.Claim(dir)
	return filepath.Join(append([]string{folder.Path}, elem...)...), err
}

// notUp adds to an error about an absent cluster what to do.
func (t *Target) notUp(err error) error {
	if errors.Is(err, cluster.ErrAbsent) {
		return fmt.Errorf("there is no cluster %s; `%s up %s` makes it: %w", t.o.Name, command.Name(), t.flags(), target.ErrNotUp)
	}
	return err
}

// Down implements [target.Target]: it deletes the cluster, with all data in it.
func (t *Target) Down(ctx context.Context) (string, error) {
	c := t.cluster()
	there, err := c.Exists(ctx)
	if err != nil {
		return "", err
	}
	if there {
		release, err := t.guard(ctx, c)
		if err != nil {
			return "", err
		}
		defer release()
	}
	// Delete also when there is no node: a network may be left.
	if err := c.Delete(ctx); err != nil {
		return "", err
	}
	if !there {
		return fmt.Sprintf("Nothing to delete: there is no cluster %s.", t.o.Name), nil
	}
	return fmt.Sprintf("The cluster %s was deleted, with all its data.", t.o.Name), nil
}

// Reset implements [target.Target]: it does the same as Down, because the cluster keeps
// its data inside itself.
func (t *Target) Reset(ctx context.Context) (string, error) { return t.Down(ctx) }

// Logs implements [target.Target].
func (t *Target) Logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	return t.notUp(t.workloads(t.cluster()).Logs(ctx, w, name, follow))
}

// TrafficFile implements [target.Target].
func (t *Target) TrafficFile() (string, error) { return t.path("last-traffic-" + t.o.Name + ".json") }
