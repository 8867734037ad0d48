package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// item has the fields of Kubernetes' objects that this package reads. Each kind has some
// of them.
type item struct {
	Kind     string
	Metadata struct {
		Name, Namespace     string
		Generation          int64
		CreationTimestamp   time.Time
		DeletionTimestamp   *time.Time
		Labels, Annotations map[string]string
		OwnerReferences     []struct{ Kind, Name string }
	}
	Spec struct {
		Replicas *int
		Selector struct{ MatchLabels map[string]string }
		NodeName string
	}
	Status struct {
		ObservedGeneration                             int64
		Replicas, UpdatedReplicas, ReadyReplicas       int
		AvailableReplicas                              int
		UpdateRevision                                 string
		DesiredNumberScheduled, UpdatedNumberScheduled int
		NumberReady, NumberAvailable                   int
		Phase                                          string
		Conditions                                     []condition
		InitContainerStatuses, ContainerStatuses       []containerStatus
		PodIP                                          string
	}
	// Endpoints are in EndpointSlices only.
	Endpoints []endpoint
}

type condition struct{ Type, Status, Reason, Message string }

type containerStatus struct {
	Name             string
	Image            string
	Ready            bool
	RestartCount     int
	State, LastState struct {
		Waiting    *struct{ Reason, Message string }
		Running    *struct{ StartedAt time.Time }
		Terminated *Ended
	}
}

// Ended is how a container has ended.
type Ended struct {
	ExitCode int
	Reason   string
	Message  string
}

// Container is a container of a pod.
type Container struct {
	Name, Image string
	Init        bool
	Ready       bool
	Restarts    int
	// Waiting is the reason why the container does not run yet, and Message explains
	// it; both are "" when the container runs.
	Waiting, Message string
	// Ended is how the container has ended, now or the last time; nil when it never has.
	Ended *Ended
	// Over says that the container has ended and is not run again.
	Over bool
	// Started is when the container was started, zero while it does not run.
	Started time.Time
}

// Pod is a pod.
type Pod struct {
	Namespace, Name, Node string
	Phase                 string // Pending, Running, Succeeded, Failed
	Ready                 bool
	Leaving               bool // it is being deleted
	// Lost says that a Service does not lead to the pod yet, though it is ready.
	Lost       bool
	Created    time.Time
	Containers []Container
	// Unschedulable is why the pod has no node, "" when it has one.
	Unschedulable string
}

// Restarts counts the restarts of all the pod's containers.
func (p Pod) Restarts() (n int) {
	for _, c := range p.Containers {
		n += c.Restarts
	}
	return n
}

// Workload is a Deployment, StatefulSet or DaemonSet with its pods.
type Workload struct {
	Ref
	// Desired is the wanted number of pods; Ready counts those that are ready and of
	// the newest version.
	Desired, Ready int
	// Done says that all pods are of the newest version and ready, and that the old
	// pods are gone.
	Done bool
	// Seen says that the cluster has begun to act on the newest version.
	Seen bool
	// Refused is why the cluster cannot make pods, "" when it can.
	Refused string
	// Selector selects its pods: "name=value,…".
	Selector string
	// Applied says that Apply has made it: it has the label [ManagedBy].
	Applied bool
	// Pods are of the newest version, Old of others.
	Pods, Old []Pod
}

// clusterState has a cluster's workloads, pods and events at some time.
type clusterState struct {
	workloads []Workload
	pods      []Pod
	events    []Event
}

// stateKinds are the kinds that readState asks for.
const stateKinds = "deployments,statefulsets,daemonsets,replicasets,pods,endpointslices"

// readState asks the cluster for its state.
func readState(ctx context.Context, k Kubectl, withEvents bool) (clusterState, error) {
	var items []item
	for _, where := range scope(k) {
		raw, err := k.Kubectl(ctx, nil, "get", stateKinds, where, "--output=json")
		if err != nil {
			return clusterState{}, err
		}
		found, err := parseItems(raw)
		if err != nil {
			return clusterState{}, err
		}
		items = append(items, found...)
	}
	s := stateOf(items)
	if !withEvents {
		return s, nil
	}
	var err error
	s.events, err = readEvents(ctx, k)
	return s, err
}

// scope returns kubectl's flags for the namespaces in which the lab's state is: a call for
// each.
func scope(k Kubectl) (flags []string) {
	if scoped, ok := k.(Scoped); ok {
		for _, namespace := range scoped.Namespaces() {
			flags = append(flags, "--namespace="+namespace)
		}
		return flags
	}
	return []string{"--all-namespaces"}
}

// parseState reads the JSON output of `kubectl get` about stateKinds.
func parseState(raw []byte) (clusterState, error) {
	items, err := parseItems(raw)
	return stateOf(items), err
}

func parseItems(raw []byte) ([]item, error) {
	var list struct{ Items []item }
	if err := json.Unmarshal(raw, &list); err != nil {
		return nil, fmt.Errorf("reading `kubectl get`: %w", err)
	}
	return list.Items, nil
}

func stateOf(items []item) (s clusterState) {
	for _, i := range items {
		if i.Kind == "Pod" {
			s.pods = append(s.pods, i.pod())
		}
	}
	for _, i := range items {
		if (Ref{Kind: i.Kind}).isWorkload() {
			s.workloads = append(s.workloads, i.workload(items))
		}
	}
	slices.SortFunc(s.workloads, func(a, b Workload) int { return strings.Compare(a.String(), b.String()) })
	slices.SortFunc(s.pods, func(a, b Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return s
}

func (i item) pod() Pod {
	p := Pod{Namespace: i.Metadata.Namespace, Name: i.Metadata.Name, Node: i.Spec.NodeName, Phase: i.Status.Phase,
		Created: i.Metadata.CreationTimestamp, Leaving: i.Metadata.DeletionTimestamp != nil}
	for _, c := range i.Status.Conditions {
		switch {
		case c.Type == "Ready":
			p.Ready = c.Status == "True" && !p.Leaving
		case c.Type == "PodScheduled" && c.Status == "False":
			p.Unschedulable = c.Message
		}
	}
	for n, statuses := range [][]containerStatus{i.Status.InitContainerStatuses, i.Status.ContainerStatuses} {
		for _, s := range statuses {
			c := Container{Name: s.Name, Image: s.Image, Init: n == 0, Ready: s.Ready, Restarts: s.RestartCount, Ended: s.LastState.Terminated}
			if w := s.State.Waiting; w != nil {
				c.Waiting, c.Message = w.Reason, w.Message
			}
			if r := s.State.Running; r != nil {
				c.Started = r.StartedAt
			}
			if t := s.State.Terminated; t != nil {
				c.Ended, c.Over = t, true
			}
			p.Containers = append(p.Containers, c)
		}
	}
	return p
}

// workload reads a Deployment, StatefulSet or DaemonSet among all items. It judges it as
// `kubectl rollout status` does.
func (i item) workload(all []item) Workload {
	s := i.Status
	w := Workload{Ref: Ref{i.Kind, i.Metadata.Namespace, i.Metadata.Name}, Desired: 1, Selector: i.selector(), Applied: i.Metadata.Labels[ManagedBy] == Manager}
	if i.Spec.Replicas != nil {
		w.Desired = *i.Spec.Replicas
	}
	observed := s.ObservedGeneration >= i.Metadata.Generation
	w.Seen = observed
	var newest func(labels map[string]string) bool
	switch i.Kind {
	case "Deployment":
		hash := i.newestHash(all)
		newest = func(labels map[string]string) bool { return hash != "" && labels["pod-template-hash"] == hash }
		w.Done = observed && s.UpdatedReplicas == w.Desired && s.Replicas == w.Desired && s.AvailableReplicas == w.Desired
	case "StatefulSet":
		newest = func(labels map[string]string) bool { return labels["controller-revision-hash"] == s.UpdateRevision }
		w.Done = observed && s.UpdatedReplicas == w.Desired && s.ReadyReplicas == w.Desired && s.Replicas == w.Desired
	case "DaemonSet":
		generation := i.Metadata.Annotations["deprecated.daemonset.template.generation"]
		newest = func(labels map[string]string) bool { return labels["pod-template-generation"] == generation }
		w.Desired = s.DesiredNumberScheduled
		w.Done = observed && w.Desired > 0 && s.UpdatedNumberScheduled == w.Desired && s.NumberAvailable == w.Desired
	}
	for _, c := range s.Conditions {
		if c.Type == "ReplicaFailure" && c.Status == "True" {
			w.Refused = c.Message
		}
	}
	for _, p := range all {
		if p.Kind != "Pod" || p.Metadata.Namespace != w.Namespace || !i.selects(p) {
			continue
		}
		pod := p.pod()
		if pod.Ready && p.lost(all) {
			pod.Ready, pod.Lost = false, true
		}
		if !observed || !newest(p.Metadata.Labels) || pod.Leaving {
			w.Old = append(w.Old, pod)
			continue
		}
		w.Pods = append(w.Pods, pod)
		if pod.Ready {
			w.Ready++
		}
	}
	// The workload's own numbers lag behind its pods, and lag longer when the controllers
	// have been away, too.
	w.Done = w.Done && w.Ready >= w.Desired
	return w
}

// selects tells whether the workload's selector selects the pod.
func (i item) selects(pod item) bool {
	for name, value := range i.Spec.Selector.MatchLabels {
		if pod.Metadata.Labels[name] != value {
			return false
		}
	}
	return len(i.Spec.Selector.MatchLabels) > 0
}

func (i item) selector() string {
	var terms []string
	for name, value := range i.Spec.Selector.MatchLabels {
		terms = append(terms, name+"="+value)
	}
	slices.Sort(terms)
	return strings.Join(terms, ",")
}

// newestHash returns the value of the label pod-template-hash of a Deployment's newest pods.
func (i item) newestHash(all []item) string {
	newest, hash := 0, ""
	for _, rs := range all {
		owned := slices.ContainsFunc(rs.Metadata.OwnerReferences, func(o struct{ Kind, Name string }) bool {
			return o.Kind == "Deployment" && o.Name == i.Metadata.Name
		})
		if rs.Kind != "ReplicaSet" || rs.Metadata.Namespace != i.Metadata.Namespace || !owned {
			continue
		}
		revision, _ := strconv.Atoi(rs.Metadata.Annotations["deployment.kubernetes.io/revision"])
		if revision > newest {
			newest, hash = revision, rs.Metadata.Labels["pod-template-hash"]
		}
	}
	return hash
}
