// Package deploy brings manifests into a cluster and waits until what they
// describe works; when it does not, it says why on one screen. It runs the lab's
// Jobs too.
//
// Everything goes through kubectl, wherever that runs: see [Kubectl].
package deploy

import (
	"context"
	"io"
)

// Kubectl runs kubectl against the cluster, such as *cluster.Cluster does in its
// control-plane node.
type Kubectl interface {
	// Kubectl returns what kubectl prints. stdin may be nil; an error says what
	// kubectl has written to its standard error.
	Kubectl(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error)
	// KubectlTo is Kubectl, with what it prints going to w at once.
	KubectlTo(ctx context.Context, w io.Writer, stdin io.Reader, args ...string) error
}

// Manager is the name under which the lab owns fields of what it applies.
const Manager = "lgtm-lab"

// managedBy is the label on everything that Apply has applied, and nothing else.
// What has it and is in the manifests no more is pruned.
const managedBy = "app.kubernetes.io/managed-by"
