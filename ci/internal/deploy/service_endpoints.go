package deploy

import "slices"

// endpoint is a pod behind a Service, as the cluster's proxy knows it.
type endpoint struct {
	Addresses  []string
	Conditions struct{ Ready *bool }
	TargetRef  *struct{ Kind, Namespace, Name string }
}

// lost tells whether a Service does not lead to this pod, although the pod is ready: the
// Service leads to the pod's former address, or not to the pod at all. That lasts a moment
// in every rollout, and longer when the controllers have just been started again.
func (i item) lost(all []item) bool {
	for _, slice := range all {
		for _, e := range slice.Endpoints {
			if e.TargetRef == nil || e.TargetRef.Kind != "Pod" || e.TargetRef.Namespace != i.Metadata.Namespace || e.TargetRef.Name != i.Metadata.Name {
				continue
			}
			ready := e.Conditions.Ready == nil || *e.Conditions.Ready // unknown counts as ready, says the API
			if !ready || !slices.Contains(e.Addresses, i.Status.PodIP) {
				return true
			}
		}
	}
	return false
}
