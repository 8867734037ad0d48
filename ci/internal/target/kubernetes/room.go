package kubernetes

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

// need sums what the objects of a namespace ask for, by the names that a quota uses; of all
// namespaces if that is "".
func need(objects []object, namespace string) corev1.ResourceList {
	sum := corev1.ResourceList{}
	add := func(name corev1.ResourceName, n int64, q resource.Quantity) {
		total := sum[name]
		for range n {
			total.Add(q)
		}
		sum[name] = total
	}
	for _, o := range objects {
		if namespace != "" && o.Metadata.Namespace != namespace {
			continue
		}
		claims := o.Spec.VolumeClaimTemplates
		if o.Kind == "PersistentVolumeClaim" {
			claims = []corev1.PersistentVolumeClaim{{Spec: corev1.PersistentVolumeClaimSpec{Resources: o.Spec.Resources}}}
		}
		for _, c := range claims {
			add(corev1.ResourcePersistentVolumeClaims, o.replicas(), resource.MustParse("1"))
			add(corev1.ResourceRequestsStorage, o.replicas(), c.Spec.Resources.Requests[corev1.ResourceStorage])
		}
		if o.Spec.Template == nil {
			continue
		}
		add(corev1.ResourcePods, o.replicas(), resource.MustParse("1"))
		for _, c := range o.Spec.Template.Spec.Containers {
			for name, q := range c.Resources.Requests {
				add("requests."+name, o.replicas(), q)
			}
			for name, q := range c.Resources.Limits {
				add("limits."+name, o.replicas(), q)
			}
		}
	}
	return sum
}

// checkQuotas compares the namespaces' quotas with what the lab asks for. For a lab that is
// up already it compares with the whole quota, of which the lab has a part.
func checkQuotas(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	var found []problem
	for _, namespace := range Namespaces() {
		quotas, err := get(ctx, w, nil, "resourcequotas", "--namespace="+namespace)
		if err != nil {
			return found, err
		}
		wanted := need(p.objects, namespace)
		for _, q := range quotas {
			var has struct {
				Status struct{ Hard, Used corev1.ResourceList }
			}
			if err := json.Unmarshal(q.raw, &has); err != nil {
				return found, err
			}
			found = append(found, overQuota(q, namespace, wanted, has.Status.Hard, has.Status.Used, p.before.image != "")...)
		}
	}
	return found, nil
}

func overQuota(q object, namespace string, wanted, hard, used corev1.ResourceList, isUp bool) (found []problem) {
	aliases := map[corev1.ResourceName]corev1.ResourceName{
		corev1.ResourceCPU: corev1.ResourceRequestsCPU, corev1.ResourceMemory: corev1.ResourceRequestsMemory, "count/pods": corev1.ResourcePods,
	}
	for _, name := range slices.Sorted(maps.Keys(hard)) {
		left := hard[name].DeepCopy()
		if !isUp {
			left.Sub(used[name])
		}
		what := name
		if alias, ok := aliases[name]; ok {
			what = alias
		}
		if what == corev1.ResourceLimitsCPU {
			found = append(found, problem{
				What: fmt.Sprintf("the quota %s of the namespace %s wants a limit of CPU for every pod, and the lab's pods have none", q.Metadata.Name, namespace),
				Do:   "Take limits.cpu out of the quota, or give the namespace a LimitRange with a default limit of CPU.", Likely: true,
			})
			continue
		}
		if asks, counted := wanted[what]; counted && asks.Cmp(left) > 0 {
			found = append(found, problem{
				What: fmt.Sprintf("the quota %s of the namespace %s has %s of %s left, and the lab asks for %s", q.Metadata.Name, namespace, left.String(), name, asks.String()),
				Do:   "Raise the quota, or choose a smaller --size.",
			})
		}
	}
	return found
}

// checkNodes compares what the nodes can give to pods with what the lab asks for. It does not
// count other pods, so that it finds only what can never work.
func checkNodes(ctx context.Context, w Workloads, p plan) ([]problem, error) {
	nodes, err := get(ctx, w, nil, "nodes")
	if err != nil {
		return nil, err
	}
	total := corev1.ResourceList{}
	for _, n := range nodes {
		var node corev1.Node
		if err := json.Unmarshal(n.raw, &node); err != nil {
			return nil, err
		}
		if node.Spec.Unschedulable || slices.ContainsFunc(node.Spec.Taints, func(t corev1.Taint) bool { return t.Effect != corev1.TaintEffectPreferNoSchedule }) {
			continue
		}
		for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
			sum := total[name]
			sum.Add(node.Status.Allocatable[name])
			total[name] = sum
		}
	}
	wanted := need(p.objects, "")
	var short []string
	for _, name := range []corev1.ResourceName{corev1.ResourceCPU, corev1.ResourceMemory} {
		has, asks := total[name], wanted["requests."+name]
		if asks.Cmp(has) > 0 {
			short = append(short, fmt.Sprintf("%s of %s, and the lab asks for %s", has.String(), name, asks.String()))
		}
	}
	if len(short) == 0 {
		return nil, nil
	}
	return []problem{{
		What: "the nodes that take pods have together " + strings.Join(short, "; "), Do: "Add nodes, or choose a smaller --size.", Likely: true, // an autoscaler may add some
	}}, nil
}
