package deploy

import "time"

// forgetBefore marks a pod as not ready when one of its containers was started before the
// pod's node was. After a node has been stopped and started, the cluster reports the state
// from before for some seconds.
func (s *clusterState) forgetBefore(nodesStarted map[string]time.Time) {
	for n := range s.workloads {
		w := &s.workloads[n]
		for i := range w.Pods {
			p := &w.Pods[i]
			if p.Ready && p.outlived(nodesStarted[p.Node]) {
				p.Ready, w.Done = false, false
				w.Ready--
			}
		}
	}
}

// outlived tells whether a container of the pod seems to have been started before the node.
// Kubernetes gives whole seconds.
func (p Pod) outlived(node time.Time) bool {
	for _, c := range p.Containers {
		if !c.Started.IsZero() && c.Started.Before(node.Truncate(time.Second)) {
			return true
		}
	}
	return false
}
