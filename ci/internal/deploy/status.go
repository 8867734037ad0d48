package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
)

// Status is the state of the workloads of some namespaces.
type Status struct {
	Workloads []Workload
	// Memory is the working set of each pod in bytes, by "namespace/name". Pods on
	// nodes that do not answer are missing.
	Memory map[string]int64
}

// Ready tells whether the status has workloads and all of them are ready.
func (s Status) Ready() bool {
	return len(s.Workloads) > 0 && !slices.ContainsFunc(s.Workloads, func(w Workload) bool { return !w.Done })
}

// State says in a few words how the workload is.
func (w Workload) State() string { return w.state() }

// State says in a word or two how the pod is.
func (p Pod) State() string { return p.state() }

// Look asks the cluster for the state of the workloads of the namespaces that Apply has made:
// an application of somebody's may be beside them.
func Look(ctx context.Context, k Kubectl, namespaces ...string) (Status, error) {
	s, err := readState(ctx, k, false)
	if err != nil {
		return Status{}, err
	}
	found := Status{Memory: map[string]int64{}}
	nodes := map[string]bool{}
	for _, w := range s.workloads {
		if !w.Applied || !slices.Contains(namespaces, w.Namespace) {
			continue
		}
		found.Workloads = append(found.Workloads, w)
		for _, p := range append(slices.Clone(w.Pods), w.Old...) {
			if p.Node != "" {
				nodes[p.Node] = true
			}
		}
	}
	for node := range nodes {
		// When a node does not answer, only its pods' memory is missing.
		raw, err := k.Kubectl(ctx, nil, "get", "--raw", "/api/v1/nodes/"+node+"/proxy/stats/summary")
		if err == nil {
			_ = readMemory(raw, found.Memory)
		}
	}
	return found, ctx.Err()
}

// readMemory reads the kubelet's summary of its pods.
func readMemory(raw []byte, into map[string]int64) error {
	var summary struct {
		Pods []struct {
			PodRef struct{ Name, Namespace string }
			Memory struct{ WorkingSetBytes int64 }
		}
	}
	if err := json.Unmarshal(raw, &summary); err != nil {
		return fmt.Errorf("reading the kubelet's summary: %w", err)
	}
	for _, p := range summary.Pods {
		into[p.PodRef.Namespace+"/"+p.PodRef.Name] = p.Memory.WorkingSetBytes
	}
	return nil
}
