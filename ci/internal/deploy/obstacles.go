package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Obstacle is a reason why a workload does not become ready.
type Obstacle struct {
	// Reason is Kubernetes' own word: CrashLoopBackOff, FailedMount, …
	Reason  string
	Message string
	// Pod and Container are where the obstacle is; both are empty when there is no pod
	// yet.
	Pod, Container string
	// Image is the container's image.
	Image string
	// grace is how long the obstacle must last until the rollout fails: some obstacles
	// pass by themselves.
	grace time.Duration
}

// final are the reasons for which a container waits until a person changes something, and
// how long each must last until the rollout fails.
var final = map[string]time.Duration{
	"ErrImageNeverPull":          0,
	"InvalidImageName":           0,
	"ImagePullBackOff":           0,                // the second state: ErrImagePull was first
	"CreateContainerConfigError": 5 * time.Second,  // the missing object may be on its way
	"CreateContainerError":       15 * time.Second, // the kubelet tries again
	"RunContainerError":          15 * time.Second,
}

const (
	// crashes is the number of restarts after which a crashed container counts as one
	// that never comes up.
	crashes = 2
	// unschedulableFor is how long a pod may be without a node, because old pods must
	// leave first. refusedFor is how long a workload may be without a pod, because its
	// service account must be made first.
	unschedulableFor = 30 * time.Second
	refusedFor       = 10 * time.Second
	// unmountedFor is how long a volume may be missing.
	unmountedFor = 15 * time.Second
)

// obstacles lists the reasons, other than time, why the workload does not become ready.
func (w Workload) obstacles(events []Event) []Obstacle {
	if w.Done || !w.Seen {
		return nil
	}
	var found []Obstacle
	if w.Refused != "" {
		found = append(found, Obstacle{Reason: "FailedCreate", Message: w.Refused, grace: refusedFor})
	}
	if len(w.Pods) == 0 && w.Refused == "" {
		// StatefulSets and DaemonSets report this only in events.
		if e, ok := lastEvent(events, w.Ref, "FailedCreate"); ok && w.Kind != "Deployment" {
			found = append(found, Obstacle{Reason: e.Reason, Message: e.Message, grace: refusedFor})
		}
	}
	for _, p := range w.Pods {
		if o, ok := p.obstacle(events); ok {
			found = append(found, o)
		}
	}
	return found
}

// obstacle finds the first reason why the pod does not become ready.
func (p Pod) obstacle(events []Event) (Obstacle, bool) {
	if p.Ready {
		return Obstacle{}, false
	}
	if p.Unschedulable != "" {
		return Obstacle{Reason: "Unschedulable", Message: p.Unschedulable, Pod: p.Name, grace: unschedulableFor}, true
	}
	for _, c := range p.Containers {
		o := Obstacle{Reason: c.Waiting, Message: c.Message, Pod: p.Name, Container: c.Name, Image: c.Image}
		if grace, ok := final[c.Waiting]; ok {
			o.grace = grace
			return o, true
		}
		if c.Waiting == "CrashLoopBackOff" && c.Restarts >= crashes {
			o.Message = fmt.Sprintf("ended %d times", c.Restarts+1)
			if c.Ended != nil {
				o.Message += fmt.Sprintf(", the last time with exit code %d", c.Ended.ExitCode)
				if c.Ended.Reason != "" && c.Ended.Reason != "Error" && c.Ended.Reason != "Completed" {
					o.Message += " (" + c.Ended.Reason + ")"
				}
			}
			return o, true
		}
	}
	if p.Phase == "Pending" {
		ref := Ref{"Pod", p.Namespace, p.Name}
		if e, ok := lastEvent(events, ref, "FailedMount", "FailedAttachVolume"); ok && strings.Contains(e.Message, "not found") {
			return Obstacle{Reason: e.Reason, Message: e.Message, Pod: p.Name, grace: unmountedFor}, true
		}
	}
	return Obstacle{}, false
}

// lastEvent finds the latest event of one of the reasons about an object.
func lastEvent(events []Event, about Ref, reasons ...string) (Event, bool) {
	for _, e := range slices.Backward(events) {
		if e.Ref == about && slices.Contains(reasons, e.Reason) {
			return e, true
		}
	}
	return Event{}, false
}

// state says in a few words how far the workload is: for what its first pod that is not
// ready waits.
func (w Workload) state() string {
	switch {
	case w.Done:
		return "ready"
	case !w.Seen:
		return "not begun"
	case w.Refused != "":
		return "no pod can be made"
	case len(w.Pods) == 0:
		return "no pod yet"
	}
	for _, p := range w.Pods {
		if !p.Ready {
			return p.state()
		}
	}
	if len(w.Old) > 0 {
		return fmt.Sprintf("%d old pods have not ended", len(w.Old))
	}
	return "starting"
}

// state says in a word or two how a pod is.
func (p Pod) state() string {
	switch {
	case p.Leaving:
		return "Terminating"
	case p.Ready:
		return "Ready"
	case p.Unschedulable != "":
		return "Unschedulable"
	case p.Lost:
		return "not in its Service yet"
	}
	for _, c := range p.Containers {
		switch {
		case c.Waiting != "" && c.Waiting != "PodInitializing":
			return c.Waiting
		case c.Over && c.Ended.ExitCode != 0:
			return "ended with " + fmt.Sprint(c.Ended.ExitCode)
		}
	}
	if p.Phase == "Running" {
		return "running, not ready"
	}
	return p.Phase
}
