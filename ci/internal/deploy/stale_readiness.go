package deploy

import "time"

// forgetBefore takes back that a pod is ready when one of its containers was
// started before its node was. After a node has been stopped and started, the
// cluster says for some seconds what was true before.
func (s *snapshot) forgetBefore(nodesStarted map[string]time.Time) {
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

// outlived tells whether a container of the pod seems to run since before its
// node does. Kubernetes gives whole seconds.
func (p Pod) outlived(node time.Time) bool {
	for _, c := range p.Containers {
		if !c.Started.IsZero() && c.Started.Before(node.Truncate(time.Second)) {
			return true
		}
	}
	return false
}
