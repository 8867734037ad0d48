package cluster

import (
	"context"
	"fmt"
	"io"
)

// Signal sends a signal, such as SIGSTOP, to the processes of a pod's containers, which run on
// the named node. It is for what the API server cannot do: it asks kubelet, and kubelet asks a
// process to end. Signal fails when no container of the pod runs.
func (c *Cluster) Signal(ctx context.Context, node, namespace, pod, signal string) error {
	all, err := c.listNodes()
	if err != nil {
		return err
	}
	for _, n := range all {
		if n.String() != node {
			continue
		}
		filter := fmt.Sprintf(`labels."io.cri-containerd.kind"==container,labels."io.kubernetes.pod.namespace"==%q,labels."io.kubernetes.pod.name"==%q`, namespace, pod)
		if err := inNode(ctx, n, io.Discard, "sh", "-c", signalContainers, "sh", filter, signal); err != nil {
			return fmt.Errorf("%s to the pod %s: %w", signal, pod, err)
		}
		return nil
	}
	return fmt.Errorf("%s to the pod %s: the cluster %s has no node %s", signal, pod, c.Name, node)
}

// signalContainers is a shell script that sends the signal $2 to the containers that the
// filter $1 of containerd finds. A container that has ended is still listed, and has no
// process.
const signalContainers = `sent=
for id in $(ctr --namespace k8s.io containers list --quiet "$1"); do
  ctr --namespace k8s.io tasks kill --signal "$2" "$id" 2>/dev/null && sent=yes
done
[ "$sent" ] || { echo "no container of it runs" >&2; exit 1; }`
