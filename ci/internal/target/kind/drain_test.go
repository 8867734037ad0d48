package kind

import (
	"slices"
	"strings"
	"testing"
)

const (
	openNode    = `{"metadata":{"name":"n1"}},{"metadata":{"name":"n2"}}`
	controlNode = `{"metadata":{"name":"n0"},"spec":{"taints":[{"key":"node-role.kubernetes.io/control-plane","effect":"NoSchedule"}]}}`
	drainedNode = `{"metadata":{"name":"n1","annotations":{"lgtm-lab/drained":"true"}},"spec":{"unschedulable":true}}`
	cordoned    = `{"metadata":{"name":"n2"},"spec":{"unschedulable":true}}`
	jobOn       = `{"metadata":{"name":"chaos-1","namespace":"observability","ownerReferences":[{"kind":"Job"}]},"spec":{"nodeName":"n1"},"status":{"phase":"PHASE"}},`
)

// The node with most of the lab's components is emptied, unless a Job runs there. The last node
// that takes pods is not.
func TestDrain(t *testing.T) {
	for name, c := range map[string]struct {
		nodes, jobs string
		node        string
		components  []string
	}{
		"two nodes":                      {controlNode + "," + openNode, "", "n1", []string{"backend", "frontend"}},
		"a Job runs there":               {openNode, strings.Replace(jobOn, "PHASE", "Running", 1), "n2", []string{"frontend"}},
		"a Job has ended there":          {openNode, strings.Replace(jobOn, "PHASE", "Succeeded", 1), "n1", []string{"backend", "frontend"}},
		"one node":                       {`{"metadata":{"name":"n1"}}`, "", "", nil},
		"one node, and others take none": {controlNode + `,{"metadata":{"name":"n1"}},` + cordoned, "", "", nil},
		"somebody has drained one":       {`{"metadata":{"name":"n1"}},` + cordoned, "", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			h := &harmed{owned: backend(1, "") + "," + frontendOf, nodes: c.nodes, jobs: c.jobs}
			node, components, err := h.breaker().drain(t.Context())
			slices.Sort(components)
			if node != c.node || !slices.Equal(components, c.components) || (err != nil) != (c.node == "") {
				t.Errorf("drain = %q, %v, %v; want %q, %v", node, components, err, c.node, c.components)
			}
			var want []string
			if c.node != "" {
				want = []string{
					"annotate node " + c.node + " --overwrite lgtm-lab/drained=true",
					"drain " + c.node + " --ignore-daemonsets --delete-emptydir-data --timeout=4m0s",
				}
			}
			if !slices.Equal(h.did, want) {
				t.Errorf("did %q, want %q", h.did, want)
			}
		})
	}
}

// Mend lets the node take pods again that was drained, and no node that somebody else has
// closed.
func TestMendUncordons(t *testing.T) {
	h := &harmed{owned: backend(1, ""), nodes: drainedNode + "," + cordoned}
	if _, err := h.breaker().mend(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{"uncordon n1", "annotate node n1 lgtm-lab/drained-", "SIGCONT app/backend-1 on n1"}
	if !slices.Equal(h.did, want) {
		t.Errorf("did %q, want %q", h.did, want)
	}
}
