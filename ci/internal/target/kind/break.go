package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Breakable = (*Target)(nil)

// replicasNote is the annotation, on a workload that was ended, that has the number of its
// pods before. Mend starts so many again.
const replicasNote = "lgtm-lab/replicas"

// endWithin bounds the end of pods. A pod may take the 30 s that Kubernetes gives it by
// default, and kubelet notices the end a little later.
const endWithin = 90 * time.Second

// workload is a Deployment or StatefulSet of the lab.
type workload struct {
	deploy.Ref
	replicas int    // the wanted number of pods
	before   int    // the number before it was ended; 0 when it was not
	selector string // of its pods
	pods     []pod
}

// pod is a pod of a workload that has not been deleted yet.
type pod struct{ name, node string }

// lab reads the workloads that the lab has deployed, with their pods. Those of others, in the
// same namespaces, are not among them.
func lab(ctx context.Context, k deploy.Kubectl) ([]*workload, error) {
	owned, err := objects(ctx, k, "deployments.apps,statefulsets.apps", "--selector="+deploy.Selector)
	if err != nil {
		return nil, err
	}
	running, err := objects(ctx, k, "pods")
	if err != nil {
		return nil, err
	}
	var all []*workload
	for _, o := range owned {
		w := &workload{Ref: deploy.Ref{Kind: o.Kind, Namespace: o.Metadata.Namespace, Name: o.Metadata.Name}, replicas: 1}
		if o.Spec.Replicas != nil {
			w.replicas = *o.Spec.Replicas
		}
		w.before, _ = strconv.Atoi(o.Metadata.Annotations[replicasNote])
		selector := labels.SelectorFromSet(o.Spec.Selector.MatchLabels)
		w.selector = selector.String()
		for _, p := range running {
			if p.Metadata.Namespace == w.Namespace && p.Metadata.DeletionTimestamp == nil && p.Spec.NodeName != "" && selector.Matches(labels.Set(p.Metadata.Labels)) {
				w.pods = append(w.pods, pod{p.Metadata.Name, p.Spec.NodeName})
			}
		}
		all = append(all, w)
	}
	return all, nil
}

// object has the fields of workloads and pods that this file reads.
type object struct {
	Kind     string
	Metadata struct {
		Name, Namespace     string
		Labels, Annotations map[string]string
		DeletionTimestamp   *time.Time
		OwnerReferences     []struct{ Kind string }
	}
	Spec struct {
		Replicas *int
		Selector struct{ MatchLabels map[string]string }
		NodeName string
		// Of a node:
		Unschedulable bool
		Taints        []corev1.Taint
	}
	Status struct{ Phase corev1.PodPhase }
}

func objects(ctx context.Context, k deploy.Kubectl, kinds string, flags ...string) ([]object, error) {
	raw, err := k.Kubectl(ctx, nil, append([]string{"get", kinds, "--all-namespaces", "--output=json"}, flags...)...)
	if err != nil {
		return nil, err
	}
	var list struct{ Items []object }
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading the %s: %w", kinds, err)
	}
	return list.Items, nil
}

// breaker does harm to the lab's workloads in a cluster.
type breaker struct {
	k deploy.Kubectl
	// send sends a signal to the processes of a pod; see [cluster.Cluster.Signal].
	send func(ctx context.Context, node, namespace, pod, signal string) error
}

// breaker returns one for the target's cluster.
func (t *Target) breaker() breaker {
	c := t.cluster()
	return breaker{c, c.Signal}
}

// named returns the workloads of these components.
func (b breaker) named(ctx context.Context, names []string) ([]*workload, error) {
	all, err := lab(ctx, b.k)
	if err != nil {
		return nil, err
	}
	var found []*workload
	for _, name := range names {
		i := slices.IndexFunc(all, func(w *workload) bool { return w.Name == name })
		if i < 0 {
			return nil, fmt.Errorf("%s: %w", name, target.ErrUnknownComponent)
		}
		found = append(found, all[i])
	}
	return found, nil
}

// signal sends the signal to every pod of the workloads at once.
func (b breaker) signal(ctx context.Context, name string, all []*workload) error {
	var sending errgroup.Group
	for _, w := range all {
		for _, p := range w.pods {
			sending.Go(func() error { return b.send(ctx, p.node, w.Namespace, p.name, name) })
		}
	}
	return sending.Wait()
}

// end makes the cluster end the workloads' pods, and start no others in their place. It
// does not wait for that.
func (b breaker) end(ctx context.Context, all []*workload) error {
	var ending errgroup.Group
	for _, w := range all {
		if w.replicas == 0 {
			continue // its note has the number that it had
		}
		ending.Go(func() error {
			note := fmt.Sprintf("%s=%d", replicasNote, w.replicas)
			if _, err := b.k.Kubectl(ctx, nil, "annotate", w.Kind, w.Name, "--namespace="+w.Namespace, "--overwrite", note); err != nil {
				return err
			}
			return b.scale(ctx, w, 0)
		})
	}
	return ending.Wait()
}

func (b breaker) scale(ctx context.Context, w *workload, replicas int) error {
	_, err := b.k.Kubectl(ctx, nil, "scale", w.Kind, w.Name, "--namespace="+w.Namespace, fmt.Sprintf("--replicas=%d", replicas))
	return err
}

// awaitEnd returns when the pods of the workloads are gone.
func (b breaker) awaitEnd(ctx context.Context, all []*workload) error {
	var waiting errgroup.Group
	for _, w := range all {
		waiting.Go(func() error {
			_, err := b.k.Kubectl(ctx, nil, "wait", "pods", "--for=delete", "--namespace="+w.Namespace, "--selector="+w.selector, "--timeout="+endWithin.String())
			return err
		})
	}
	return waiting.Wait()
}

// kill stops the processes first, because the end of a pod asks them to end: a stopped
// process does nothing more until it is killed.
func (b breaker) kill(ctx context.Context, names []string) error {
	found, err := b.named(ctx, names)
	if err != nil {
		return err
	}
	if err := b.signal(ctx, "SIGSTOP", found); err != nil {
		return err
	}
	return errors.Join(b.end(ctx, found), b.signal(ctx, "SIGKILL", found), b.awaitEnd(ctx, found))
}

func (b breaker) terminate(ctx context.Context, names []string) error {
	found, err := b.named(ctx, names)
	if err != nil {
		return err
	}
	return errors.Join(b.end(ctx, found), b.awaitEnd(ctx, found))
}

func (b breaker) signalNamed(ctx context.Context, name string, components []string) error {
	found, err := b.named(ctx, components)
	if err != nil {
		return err
	}
	return b.signal(ctx, name, found)
}

// mend thaws every pod and starts what was ended. It returns the workloads to wait for.
func (b breaker) mend(ctx context.Context) ([]deploy.Ref, error) {
	all, err := lab(ctx, b.k)
	if err != nil {
		return nil, err
	}
	if err := b.uncordon(ctx); err != nil {
		return nil, err
	}
	var refs []deploy.Ref
	for _, w := range all {
		refs = append(refs, w.Ref)
		// A pod whose container is being started has no process, and needs no thawing.
		_ = b.signal(ctx, "SIGCONT", []*workload{w})
		if w.before == 0 {
			continue
		}
		if w.replicas == 0 { // else `up` has started it
			if err := b.scale(ctx, w, w.before); err != nil {
				return nil, err
			}
		}
		if _, err := b.k.Kubectl(ctx, nil, "annotate", w.Kind, w.Name, "--namespace="+w.Namespace, replicasNote+"-"); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

// Kill implements [target.Breakable]: SIGKILL, and no pod in the place of those until Mend.
func (t *Target) Kill(ctx context.Context, names ...string) error {
	return t.notUp(t.breaker().kill(ctx, names))
}

// Terminate implements [target.Breakable]: the pods end as in a rollout, and no others come in
// their place until Mend.
func (t *Target) Terminate(ctx context.Context, names ...string) error {
	return t.notUp(t.breaker().terminate(ctx, names))
}

// Freeze implements [target.Breakable]. The cluster notices: a frozen pod is not ready, so
// that its Service leads to it no longer, and its liveness probe replaces its container in
// the end.
func (t *Target) Freeze(ctx context.Context, names ...string) error {
	return t.notUp(t.breaker().signalNamed(ctx, "SIGSTOP", names))
}

// Thaw implements [target.Breakable].
func (t *Target) Thaw(ctx context.Context, names ...string) error {
	return t.notUp(t.breaker().signalNamed(ctx, "SIGCONT", names))
}

// Mend implements [target.Breakable].
func (t *Target) Mend(ctx context.Context) error {
	b := t.breaker()
	workloads, err := b.mend(ctx)
	if err != nil {
		return t.notUp(err)
	}
	_, err = deploy.Rollout(ctx, b.k, workloads, deploy.RolloutOptions{Timeout: t.o.Timeout, Progress: t.say})
	return err
}
