package kubernetes

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/deploy"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Down implements [target.Target]: it deletes what the lab has applied. The volumes stay, with
// the data, and so do the namespaces that they are in.
func (t *Target) Down(ctx context.Context) (string, error) { return t.remove(ctx, false) }

// Reset implements [target.Target]: it deletes the volumes, too. What is in an object store
// stays.
func (t *Target) Reset(ctx context.Context) (string, error) { return t.remove(ctx, true) }

func (t *Target) remove(ctx context.Context, data bool) (string, error) {
	w, err := t.connect(ctx)
	if err != nil {
		return "", err
	}
	t.say(fmt.Sprintf("the context %s of your kubeconfig", t.o.Context))
	namespaces, err := get(ctx, w, nil, "namespaces", "--selector="+deploy.Selector)
	if err != nil {
		return "", err
	}
	gone, err := deploy.Remove(ctx, w.Client)
	if err != nil {
		return "", err
	}
	if len(namespaces) == 0 && len(gone) == 0 {
		return fmt.Sprintf("Nothing to delete: there is no lab in the context %s.", t.o.Context), nil
	}
	if data {
		for _, n := range namespaces {
			if _, err := w.Client.Kubectl(ctx, nil, "delete", "persistentvolumeclaims", "--namespace="+n.Metadata.Name, "--selector="+deploy.PartSelector, "--ignore-not-found"); err != nil {
				return "", err
			}
		}
	}
	kept, err := t.removeNamespaces(ctx, w, namespaces)
	if err != nil {
		return "", err
	}
	done := fmt.Sprintf("The lab was deleted from the context %s: %d objects", t.o.Context, len(gone))
	if data {
		done += ", and its volumes with all data in them"
	}
	return strings.Join(append([]string{done + "."}, kept...), "\n"), nil
}

// removeNamespaces deletes the namespaces that have nothing more in them, and returns a
// sentence for each of the others.
func (t *Target) removeNamespaces(ctx context.Context, w Workloads, all []object) (kept []string, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	kinds, err := w.Client.Kubectl(ctx, nil, "api-resources", "--verbs=list,delete", "--namespaced", "--output=name")
	if err != nil {
		return nil, err
	}
	for _, n := range all {
		name := n.Metadata.Name
		if !slices.Contains(Namespaces(), name) {
			continue
		}
		out, err := w.Client.Kubectl(ctx, nil, "get", strings.Join(slices.DeleteFunc(strings.Fields(string(kinds)), isEvents), ","), "--namespace="+name, "--ignore-not-found", "--output=name")
		if err != nil {
			return kept, err
		}
		if left := foreign(string(out)); len(left) > 0 {
			kept = append(kept, t.stays(name, left))
			continue
		}
		if _, err := w.Client.Kubectl(ctx, nil, "delete", "namespace", name, "--ignore-not-found"); err != nil {
			return kept, err
		}
	}
	return kept, nil
}

func (t *Target) stays(namespace string, left []string) string {
	claims := 0
	for _, name := range left {
		if strings.HasPrefix(name, "persistentvolumeclaim/") {
			claims++
		}
	}
	if claims == len(left) {
		return fmt.Sprintf("The namespace %s stays, with %d volumes and their data for the next up; `lab reset --target %s` deletes them.", namespace, claims, target.Kubernetes)
	}
	return fmt.Sprintf("The namespace %s stays, because it has more than the lab's objects: %s.", namespace, few(left))
}

// isEvents tells whether the resource is one of the two that have events, which nobody misses.
func isEvents(resource string) bool {
	return resource == "events" || strings.HasPrefix(resource, "events.")
}

// foreign returns the objects, as `kubectl get --output=name` prints them, that Kubernetes
// does not put into every namespace by itself.
func foreign(names string) (left []string) {
	for name := range strings.Lines(names) {
		switch name = strings.TrimSpace(name); {
		case name == "", name == "configmap/kube-root-ca.crt", name == "serviceaccount/default", name == "configmap/openshift-service-ca.crt":
		case strings.HasPrefix(name, "endpoints/"), strings.HasPrefix(name, "endpointslice.discovery.k8s.io/"):
			// of a Service, which is deleted already or in this list by its own name
		default:
			left = append(left, name)
		}
	}
	return left
}
