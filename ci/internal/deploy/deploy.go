// Package deploy applies manifests to a cluster and waits until their workloads are ready.
// When a workload does not become ready, it explains why on one screen. It also runs the
// lab's Jobs.
//
// It does everything through kubectl, wherever that runs: see [Kubectl].
package deploy

import (
	"context"
	"io"
)

// Kubectl runs kubectl against the cluster; *cluster.Cluster, for example, runs it in its
// control-plane node.
type Kubectl interface {
	// Kubectl returns kubectl's standard output. stdin may be nil; an error quotes
	// kubectl's standard error.
	Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error)
	// KubectlTo is Kubectl, but writes the output to w at once.
	KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error
}

// Scoped is a Kubectl of a cluster that has much besides the lab. The lab's state is read in
// its namespaces alone.
type Scoped interface {
	Kubectl
	// Namespaces are the lab's.
	Namespaces() []string
}

// Manager is the name under which the lab owns fields of the objects that it applies.
const Manager = "lgtm-lab"

// ManagedBy is the label of every object that Apply has applied, and of no other; its value is
// [Manager]. Prune deletes objects that have the label and are not in the manifests any more.
const ManagedBy = "app.kubernetes.io/managed-by"

// Selector selects the objects that Apply has applied, and PartSelector these, the lab's Jobs,
// and what a workload makes for itself, such as volume claims.
const (
	Selector     = ManagedBy + "=" + Manager
	PartSelector = PartOf + "=" + Manager
)

// PartOf is the label of all that belongs to the lab; its value is [Manager].
const PartOf = "app.kubernetes.io/part-of"
