package kind

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Drainable = (*Target)(nil)

// drainedNote is the annotation of a node that was drained. Mend lets it take pods again.
const drainedNote = "lgtm-lab/drained"

// drainWithin bounds the end of a node's pods. Those of the frontend end one after another,
// each when there is one that is ready elsewhere.
const drainWithin = 4 * time.Minute

// OpenNodes implements [target.Drainable].
func (t *Target) OpenNodes(ctx context.Context) (int, error) {
	open, err := openNodes(ctx, t.breaker())
	return len(open), t.notUp(err)
}

// Drain implements [target.Drainable].
func (t *Target) Drain(ctx context.Context) (node string, components []string, err error) {
	node, components, err = t.breaker().drain(ctx)
	return node, components, t.notUp(err)
}

// openNodes are the nodes that take any pod.
func openNodes(ctx context.Context, b breaker) (names []string, err error) {
	all, err := objects(ctx, b.k, "nodes")
	for _, n := range all {
		closed := func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }
		if !n.Spec.Unschedulable && !slices.ContainsFunc(n.Spec.Taints, closed) {
			names = append(names, n.Metadata.Name)
		}
	}
	return names, err
}

// drain empties the open node that has most of the lab's components. A node with a Job that
// runs stays: it may be the Job that watches the lab.
func (b breaker) drain(ctx context.Context) (node string, components []string, err error) {
	open, err := openNodes(ctx, b)
	if err != nil {
		return "", nil, err
	}
	all, err := lab(ctx, b.k)
	if err != nil {
		return "", nil, err
	}
	busy, err := nodesOfJobs(ctx, b)
	if err != nil {
		return "", nil, err
	}
	on := map[string][]string{}
	for _, w := range all {
		for _, p := range w.pods {
			if !slices.Contains(on[p.node], w.Name) {
				on[p.node] = append(on[p.node], w.Name)
			}
		}
	}
	for _, n := range open {
		if !busy[n] && len(on[n]) > len(on[node]) {
			node = n
		}
	}
	if node == "" || len(open) < 2 {
		return "", nil, errors.New("no node can be drained: another one must be there for its pods, and no Job may run on it")
	}
	if _, err := b.k.Kubectl(ctx, nil, "annotate", "node", node, "--overwrite", drainedNote+"=true"); err != nil {
		return "", nil, err
	}
	_, err = b.k.Kubectl(ctx, nil, "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--timeout="+drainWithin.String())
	if err != nil {
		err = fmt.Errorf("draining %s: %w", node, err)
	}
	return node, on[node], err
}

// nodesOfJobs are the nodes with a Job's pod that has not ended.
func nodesOfJobs(ctx context.Context, b breaker) (map[string]bool, error) {
	pods, err := objects(ctx, b.k, "pods")
	busy := map[string]bool{}
	for _, p := range pods {
		ended := p.Status.Phase == corev1.PodSucceeded || p.Status.Phase == corev1.PodFailed
		for _, owner := range p.Metadata.OwnerReferences {
			if owner.Kind == "Job" && !ended {
				busy[p.Spec.NodeName] = true
			}
		}
	}
	return busy, err
}

// uncordon lets the nodes that were drained take pods again.
func (b breaker) uncordon(ctx context.Context) error {
	all, err := objects(ctx, b.k, "nodes")
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.Metadata.Annotations[drainedNote] == "" {
			continue
		}
		if _, err := b.k.Kubectl(ctx, nil, "uncordon", n.Metadata.Name); err != nil {
			return err
		}
		if _, err := b.k.Kubectl(ctx, nil, "annotate", "node", n.Metadata.Name, drainedNote+"-"); err != nil {
			return err
		}
	}
	return nil
}
