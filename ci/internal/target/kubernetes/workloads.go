package kubernetes

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/copies"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/manifests"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Workloads are the lab's workloads in a cluster, whoever has made the cluster.
type Workloads struct {
	// Client runs kubectl against the cluster.
	Client deploy.Kubectl
	// Target and Cluster are the names of the target and of the cluster, for the status.
	Target, Cluster string
	// Flags choose the cluster on a command line of lab, such as "--target kind".
	Flags string
	// KubectlCommand is how a person runs kubectl against the cluster.
	KubectlCommand string
	// Pull says whether a node fetches the lab image of a Job.
	Pull corev1.PullPolicy
	// Say gets the lines of progress.
	Say func(line string)
}

// Deployed counts the changes that Deploy has made.
type Deployed struct {
	Objects int // that are new or different
	Rolled  int // workloads that became ready
	Pruned  int
}

// Deploy applies the manifests, notes what the annotations say on the namespace
// observability, waits until every workload is ready, and deletes what an earlier call has
// applied and the manifests have no more.
func (w Workloads) Deploy(ctx context.Context, raw []byte, notes map[string]string, o deploy.RolloutOptions) (Deployed, error) {
	var done Deployed
	applied, err := deploy.Apply(ctx, w.Client, raw)
	if err != nil {
		return done, err
	}
	done.Objects = len(applied.Changed)
	w.Say(fmt.Sprintf("applied %d objects, %d of them new or changed", len(applied.Objects), done.Objects))
	if err := w.note(ctx, notes); err != nil {
		return done, err
	}
	o.Progress = w.Say
	took, err := deploy.Rollout(ctx, w.Client, deploy.Workloads(applied.Objects), o)
	if err != nil {
		if ctx.Err() != nil {
			return done, err
		}
		return done, errors.New(deploy.Explain(ctx, w.Client, err, w.Flags))
	}
	done.Rolled = len(took)
	if done.Pruned = len(applied.Surplus); done.Pruned > 0 {
		w.Say(fmt.Sprintf("deleting %d objects that are not in the manifests any more", done.Pruned))
	}
	return done, deploy.Prune(ctx, w.Client, applied.Surplus)
}

// Password returns the password of Grafana's administrator: the one that the lab has put into
// the cluster, or a new one.
func (w Workloads) Password(ctx context.Context) (string, error) {
	have, err := deploy.Secret(ctx, w.Client, target.NamespaceObservability, adminSecret, "password")
	if err != nil || have != "" {
		return have, err
	}
	return strings.ToLower(rand.Text()), nil
}

// adminSecret is the Secret with the password of Grafana's administrator.
const adminSecret = "grafana-admin"

// jobTimeout bounds a Job: heavy traffic takes minutes, and so does the search for its
// telemetry.
const jobTimeout = 30 * time.Minute

// Execute runs `lab ARGS` as a Job in the cluster, in the lab image that was noted last. It
// fails with [target.ErrNotUp] when none was.
func (w Workloads) Execute(ctx context.Context, args []string) (target.Executed, error) {
	noted, err := w.notes(ctx)
	if err != nil {
		return target.Executed{}, err
	}
	image := noted.image
	if image == "" {
		return target.Executed{}, fmt.Errorf("the cluster %s has no lab in it yet; finish with `%s up %s`: %w", w.Cluster, command.Name(), w.Flags, target.ErrNotUp)
	}
	manifest, err := manifests.Job(args[0], manifests.JobOptions{
		Image: image, Pull: w.Pull, Args: append(slices.Clone(args), "--target="+target.InCluster), Timeout: jobTimeout,
	})
	if err != nil {
		return target.Executed{}, err
	}
	done, err := deploy.RunJob(ctx, w.Client, manifest, deploy.JobOptions{Progress: w.Say, Flags: w.Flags})
	if err == nil && done.ExitCode != 0 && strings.Contains(string(done.Output), target.ErrUnreachable.Error()) {
		err = w.unreachable(ctx, strings.TrimSpace(string(done.Output)))
	}
	return target.Executed{Output: done.Output, ExitCode: done.ExitCode}, err
}

// unreachable explains why a Job could not reach a component: either the component is not
// ready, or the network does not let the Job reach it.
func (w Workloads) unreachable(ctx context.Context, said string) error {
	found, err := deploy.Look(ctx, w.Client, Namespaces()...)
	switch {
	case err != nil:
		return fmt.Errorf("%s\nThe components' state could not be read: %w", said, err)
	case found.Ready():
		return fmt.Errorf("%s\nEvery component is ready, so the network did not let the Job in: because of its network policies, or because\n"+
			"the network plugin does not know the Job's pod yet. See `%s get networkpolicies -A`", said, w.KubectlCommand)
	}
	return fmt.Errorf("%s\nA component is not ready: see `%s status %s`", said, command.Name(), w.Flags)
}

// Logs writes the log of the named component; see [target.Target].
func (w Workloads) Logs(ctx context.Context, out io.Writer, name string, follow bool) error {
	err := deploy.Logs(ctx, w.Client, out, name, follow, Namespaces()...)
	if errors.Is(err, deploy.ErrUnknown) {
		return fmt.Errorf("%w: %w", target.ErrUnknownComponent, err)
	}
	return err
}

// Status returns the state of every component. addresses has the URL of each component that
// this machine reaches.
func (w Workloads) Status(ctx context.Context, addresses map[string]string) (target.Status, error) {
	found, err := deploy.Look(ctx, w.Client, Namespaces()...)
	if err != nil {
		return target.Status{}, err
	}
	s := w.describe(found, addresses)
	s.Forward = w.forwarded(ctx)
	return s, nil
}

// describe turns the workloads' status into the form that all targets share.
func (w Workloads) describe(found deploy.Status, addresses map[string]string) target.Status {
	s := target.Status{Target: w.Target, Cluster: w.Cluster, Components: []target.Component{}}
	for _, one := range found.Workloads {
		c := target.Component{
			Name: one.Name, Namespace: one.Namespace, State: one.State(), Desired: one.Desired, Ready: one.Ready,
			URL: addresses[one.Name], Instances: []target.Instance{},
		}
		for _, p := range append(slices.Clone(one.Pods), one.Old...) {
			c.Instances = append(c.Instances, target.Instance{
				Name: p.Name, Node: p.Node, State: p.State(), Ready: p.Ready, Restarts: p.Restarts(),
				MemoryBytes: found.Memory[p.Namespace+"/"+p.Name], Started: p.Created,
			})
		}
		s.Components = append(s.Components, c)
	}
	s.Sum()
	return s
}

// forwarded asks Alloy, through the API server, what became of the copy for another
// endpoint; nil when there is none, or when Alloy does not answer.
func (w Workloads) forwarded(ctx context.Context) *target.Copy {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	metrics, err := w.Client.Kubectl(ctx, nil, "get", "--raw", fmt.Sprintf("/api/v1/namespaces/%s/pods/%s-0:%d/proxy/metrics",
		target.NamespaceObservability, target.Alloy, target.ClusterPorts().Alloy))
	if err != nil {
		return nil
	}
	if forward, made, err := copies.Read(bytes.NewReader(metrics), copies.Forward); err == nil && made {
		return &forward
	}
	return nil
}
