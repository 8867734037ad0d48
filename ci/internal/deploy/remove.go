package deploy

import (
	"context"
	"slices"
)

// Remove deletes the objects that Apply has applied, and the lab's Jobs, and waits until their
// pods are gone. Namespaces and volume claims stay. It returns what it has deleted.
func Remove(ctx context.Context, k Kubectl) ([]Ref, error) {
	have, err := list(ctx, k)
	if err != nil {
		return nil, err
	}
	gone := surplus(have, nil)
	// Workloads go first: their pods still use the other objects while they end.
	slices.SortStableFunc(gone, func(a, b Ref) int { return rank(b.Kind) - rank(a.Kind) })
	for begin := 0; begin < len(gone); {
		end := begin + 1
		for end < len(gone) && gone[end].Kind == gone[begin].Kind && gone[end].Namespace == gone[begin].Namespace {
			end++
		}
		args := []string{"delete", gone[begin].Kind}
		for _, r := range gone[begin:end] {
			args = append(args, r.Name)
		}
		args = append(args, "--ignore-not-found", "--cascade=foreground")
		if namespace := gone[begin].Namespace; namespace != "" {
			args = append(args, "--namespace="+namespace)
		}
		if _, err := k.Kubectl(ctx, nil, args...); err != nil {
			return gone[:begin], err
		}
		begin = end
	}
	for _, where := range scope(k) {
		if _, err := k.Kubectl(ctx, nil, "delete", "jobs", where, "--selector="+PartSelector, "--ignore-not-found", "--cascade=foreground"); err != nil {
			return gone, err
		}
	}
	return gone, nil
}
