// Package kubernetes is the lab in a Kubernetes cluster.
//
// [Workloads] is what the lab does in any cluster, whoever has made the cluster: apply the
// manifests and wait for them, show the pods' state and their logs, run a Job, back the users
// up. It does all that through kubectl. A Kind cluster is such a cluster, with images that
// were loaded into it, published ports, and the kubectl of its node: the package kind makes
// the cluster and uses Workloads.
//
// [Target] is the lab in a cluster that is there already. Its kubectl is the user's own, with
// the user's kubeconfig, so that every way to log in works there. It differs from Kind in
// what a shared cluster asks for:
//
//   - The nodes pull the images. The lab's own three must be in a registry: the user names
//     them once, with digests, and the namespace observability notes them.
//   - Up looks first ([Target.preflight]) and changes nothing if something is in the way. It
//     takes over no object that it has not made.
//   - It asks about the lab's two namespaces only. Other people's pods are many.
//   - Down deletes the objects with the lab's label, and keeps the volumes. Reset deletes the
//     volumes, too. A namespace with anything else in it stays.
//
// What the lab must know the next time is in annotations of the namespace observability, not
// on the machine of the person who brought it up: the images, the size and the settings.
package kubernetes

import "github.com/lgtm-lab/lgtm-lab/ci/internal/target"

// Namespaces are the namespaces of the lab's workloads.
func Namespaces() []string { return []string{target.NamespaceApp, target.NamespaceObservability} }
