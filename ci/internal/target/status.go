package target

import "time"

// Ready is the state of a component or an instance that works.
const Ready = "ready"

// Status is how a lab is, in one shape for all targets.
type Status struct {
	// Target is the target's name.
	Target string `json:"target"`
	// Cluster is the cluster's name; empty for the local target.
	Cluster string `json:"cluster,omitempty"`
	// Ready says that the lab has components and that all of them are ready.
	Ready bool `json:"ready"`
	// Started is when the lab came up; the zero time when that is not known.
	Started time.Time `json:"started,omitzero"`
	// MemoryBytes is the memory of all instances together.
	MemoryBytes int64 `json:"memory_bytes"`
	// Components are the lab's, in the order in which data flows.
	Components []Component `json:"components"`
	// Forward is what became of the copy for another endpoint; absent where Alloy makes
	// none, or cannot be asked.
	Forward *Copy `json:"forward,omitempty"`
}

// Copy is what became of a copy of the telemetry since Alloy started.
type Copy struct {
	// Sent is what was taken.
	Sent Items `json:"sent"`
	// GivenUp is what was refused for good, or had no room in the queue.
	GivenUp Items `json:"given_up"`
	// QueueBytes and QueueCapacityBytes are what waits and what has room, for a copy whose
	// queue counts bytes.
	QueueBytes         int64 `json:"queue_bytes"`
	QueueCapacityBytes int64 `json:"queue_capacity_bytes"`
}

// Items counts telemetry by its kind.
type Items struct {
	Spans        uint64 `json:"spans"`
	LogRecords   uint64 `json:"log_records"`
	MetricPoints uint64 `json:"metric_points"`
}

// Component is one component of the lab.
type Component struct {
	Name string `json:"name"`
	// Namespace is the component's in a cluster.
	Namespace string `json:"namespace,omitempty"`
	// State is [Ready], or says in a few words what is wrong.
	State string `json:"state"`
	// Desired and Ready count instances.
	Desired int `json:"desired"`
	Ready   int `json:"ready"`
	// URL is where this machine reaches the component; empty when it cannot.
	URL string `json:"url,omitempty"`
	// Instances are the component's processes or pods.
	Instances []Instance `json:"instances"`
}

// Instance is a process or a pod.
type Instance struct {
	// Name is the pod's; for a process it is the component's.
	Name string `json:"name"`
	// PID is the process's id; 0 for a pod.
	PID int `json:"pid,omitempty"`
	// Node is the pod's node.
	Node string `json:"node,omitempty"`
	// State is [Ready], or says in a few words what is wrong.
	State string `json:"state"`
	Ready bool   `json:"ready"`
	// Restarts counts how often the pod's containers were started again.
	Restarts int `json:"restarts"`
	// MemoryBytes is the resident memory of a process or the working set of a pod;
	// 0 when it is not known.
	MemoryBytes int64 `json:"memory_bytes"`
	// Started is when the instance came into being; the zero time when that is not
	// known.
	Started time.Time `json:"started,omitzero"`
	// Log is the file with the output of a process.
	Log string `json:"log,omitempty"`
	// Detail says more about an instance that is not ready.
	Detail string `json:"detail,omitempty"`
}

// Sum computes Ready and MemoryBytes from the components.
func (s *Status) Sum() {
	s.Ready, s.MemoryBytes = len(s.Components) > 0, 0
	for _, c := range s.Components {
		s.Ready = s.Ready && c.State == Ready
		for _, i := range c.Instances {
			s.MemoryBytes += i.MemoryBytes
		}
	}
}
