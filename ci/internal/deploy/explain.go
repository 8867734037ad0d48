package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
)

// The bounds of Explain's text, so that it fits on a screen.
const (
	explainWorkloads = 3
	explainEvents    = 5
	explainLines     = 10
	explainWidth     = 160
)

// Explain returns a screen of text about a rollout that got stuck: the workloads, the
// reasons, their last events and log lines, and what to do. For any other error it returns
// the error's own text. flags choose this cluster on a command line of lab, such as
// "--target kind".
func Explain(ctx context.Context, k Kubectl, err error, flags string) string {
	stuck, ok := errors.AsType[*Stuck](err)
	if !ok {
		return err.Error()
	}
	var events []Event
	if found, err := readEvents(ctx, k); err == nil {
		events = found
	}
	var b strings.Builder
	fmt.Fprintf(&b, "The lab is not ready: %d of %d workloads have not come up", stuck.All-stuck.Ready, stuck.All)
	if stuck.TimedOut {
		fmt.Fprintf(&b, " within %s", stuck.After.Round(time.Second))
	}
	b.WriteString(".\n")
	for _, f := range stuck.Failures[:min(len(stuck.Failures), explainWorkloads)] {
		b.WriteString("\n")
		f.explain(ctx, k, &b, events, flags)
	}
	if rest := stuck.Failures[min(len(stuck.Failures), explainWorkloads):]; len(rest) > 0 {
		var names []string
		for _, f := range rest {
			names = append(names, f.Name+" ("+f.state()+")")
		}
		fmt.Fprintf(&b, "\nAlso not ready: %s\n", strings.Join(names, ", "))
	}
	return strings.TrimRight(b.String(), "\n")
}

// explain writes about one workload.
func (f Failure) explain(ctx context.Context, k Kubectl, b *strings.Builder, events []Event, flags string) {
	fmt.Fprintf(b, "%s (%s in %s): %d of %d pods ready%s\n", f.Name, f.Kind, f.Namespace, f.Ready, f.Desired, f.stillServing())
	pod, hasPod := f.worstPod()
	if f.Obstacle != nil {
		where := ""
		if f.Obstacle.Pod != "" {
			where = "pod " + f.Obstacle.Pod
			if f.Obstacle.Container != "" {
				where += ", container " + f.Obstacle.Container
			}
			where += ": "
		}
		row(b, "why", where+f.Obstacle.Reason+" – "+oneLine(f.Obstacle.Message))
	} else {
		row(b, "why", f.state())
	}
	for _, e := range f.events(events, pod) {
		row(b, "event", fmt.Sprintf("%d× %s: %s", e.Count, e.Reason, oneLine(e.Message)))
	}
	if hasPod {
		for _, line := range podLog(ctx, k, pod) {
			row(b, "log", line)
		}
	}
	for line := range strings.Lines(f.advice(events, pod, flags)) {
		row(b, "do", line)
	}
}

// stillServing says how many pods of an earlier version are still ready.
func (f Failure) stillServing() string {
	n := 0
	for _, p := range f.Old {
		if p.Ready {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d of the earlier version still serve", n)
}

func row(b *strings.Builder, name, text string) {
	text = strings.TrimRight(text, "\r\n ")
	if r := []rune(text); len(r) > explainWidth {
		text = string(r[:explainWidth-1]) + "…"
	}
	fmt.Fprintf(b, "  %-6s %s\n", name, text)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// worstPod returns the pod that the obstacle is about, or the first that is not ready.
func (f Failure) worstPod() (Pod, bool) {
	for _, p := range f.Pods {
		if f.Obstacle != nil && p.Name == f.Obstacle.Pod {
			return p, true
		}
	}
	for _, p := range f.Pods {
		if !p.Ready {
			return p, true
		}
	}
	return Pod{}, false
}

// events returns the last warnings about the workload and its pod, or without warnings the
// last other events of the pod.
func (f Failure) events(all []Event, pod Pod) []Event {
	var normal, warnings []Event
	for _, e := range all {
		ofPod := pod.Name != "" && e.Ref == (Ref{"Pod", pod.Namespace, pod.Name})
		switch {
		case e.Type == "Warning" && (ofPod || e.Ref == f.Ref):
			warnings = append(warnings, e)
		case ofPod:
			normal = append(normal, e)
		}
	}
	if len(warnings) == 0 {
		warnings = normal
	}
	return warnings[max(0, len(warnings)-explainEvents):]
}

// podLog returns the last log lines of the pod's first container that is not ready; those
// of its last run when it does not run now.
func podLog(ctx context.Context, k Kubectl, p Pod) []string {
	i := slices.IndexFunc(p.Containers, func(c Container) bool {
		return !c.Ready && (c.Ended != nil || c.Waiting == "") && (!c.Init || !c.Over || c.Ended.ExitCode != 0)
	})
	if i < 0 {
		return nil // no container has run yet
	}
	c := p.Containers[i]
	args := []string{"logs", p.Name, "--namespace=" + p.Namespace, "--container=" + c.Name, fmt.Sprintf("--tail=%d", explainLines)}
	if c.Waiting != "" && c.Restarts > 0 {
		args = append(args, "--previous")
	}
	out, err := k.Kubectl(ctx, nil, args...)
	if err != nil {
		return []string{"(the log cannot be read: " + oneLine(err.Error()) + ")"}
	}
	var lines []string
	for line := range strings.Lines(string(out)) {
		if line = strings.TrimRight(line, "\r\n "); line != "" {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return []string{"(the log is empty)"}
	}
	return lines[max(0, len(lines)-explainLines):]
}

// advice says what to do about the obstacle.
func (f Failure) advice(events []Event, pod Pod, flags string) string {
	logs := fmt.Sprintf("%s logs %s %s", command.Name(), f.Name, flags)
	if f.Obstacle == nil {
		if e, ok := lastEvent(events, Ref{"Pod", pod.Namespace, pod.Name}, "Unhealthy"); ok {
			what := "probe"
			if before, _, found := strings.Cut(e.Message, " probe failed"); found {
				what = strings.ToLower(before) + " probe"
			}
			return fmt.Sprintf("The program runs, but its %s fails: compare the probe's port and path in config/kubernetes with those of the program.\nMore of its log: %s", what, logs)
		}
		return "The workload may only be slow: run up again, or give it more time with --timeout.\nMore of its log: " + logs
	}
	switch o := f.Obstacle; o.Reason {
	case "ErrImageNeverPull":
		return fmt.Sprintf("The node does not have the image %s. The cluster pulls nothing: build or load it (up does both), or correct its name in the manifest.", o.Image)
	case "ImagePullBackOff", "InvalidImageName":
		return fmt.Sprintf("The node cannot get the image %s: correct its name in the manifest or in config/images.json, or let the node pull it: the event says why it could not.", o.Image)
	case "CreateContainerConfigError", "FailedMount", "FailedAttachVolume":
		return "A ConfigMap, a Secret or a key that the pod refers to is missing: correct its name in config/kubernetes, then run up again."
	case "CrashLoopBackOff":
		if strings.Contains(o.Message, "OOMKilled") {
			return "The container needs more memory than its limit: raise resources.limits.memory in config/kubernetes."
		}
		return "The program ends by itself, and its last lines above say why. All of its log: " + logs
	case "Unschedulable":
		return "No node has room for it: give the container runtime more memory or processors, or lower resources.requests."
	case "FailedCreate":
		return "The cluster does not admit the pod: correct the setting that the reason above names (for the pod security standard, the securityContext)."
	}
	return "More: " + command.Name() + " status " + flags
}
