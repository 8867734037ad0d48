package deploy

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// JobOptions say how to run a Job.
type JobOptions struct {
	// Start bounds the time until the Job's pod runs; 0 is 2 minutes.
	Start time.Duration
	// Progress gets the lines of progress that the Job prints. It may be nil.
	Progress func(line string)
	// Flags choose this cluster on a command line of lab, as [Explain] takes them.
	Flags string
}

// JobResult is the result of a Job.
type JobResult struct {
	// Output is the Job's output without the lines of progress.
	Output []byte
	// ExitCode is the exit code of the Job's container.
	ExitCode int
}

const (
	defaultStart = 2 * time.Minute
	// deleteWithin bounds the deletion of a Job that was interrupted.
	deleteWithin = 15 * time.Second
	// endWithin bounds the time between the end of a Job's log and the end of its pod.
	endWithin = 20 * time.Second
)

// RunJob creates the Job of the manifest under a unique name, passes on its lines of
// progress, waits for its end and deletes it, even when ctx ends. A Job that runs and fails
// is no error: look at its exit code.
func RunJob(ctx context.Context, k Kubectl, manifest []byte, o JobOptions) (JobResult, error) {
	if o.Start == 0 {
		o.Start = defaultStart
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	job, doc, err := uniqueJob(manifest)
	if err != nil {
		return JobResult{}, err
	}
	if _, err := k.Kubectl(ctx, bytes.NewReader(doc), "create", "--filename=-"); err != nil && ctx.Err() == nil {
		return JobResult{}, fmt.Errorf("creating the job: %w", err)
	}
	defer func() {
		// The cluster may have created the Job although ctx has ended.
		gone, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteWithin)
		defer cancel()
		if _, err := k.Kubectl(gone, nil, "delete", "job", job.Name, "--namespace="+job.Namespace, "--ignore-not-found", "--cascade=background", "--wait=false"); err != nil {
			o.Progress("the job " + job.Name + " could not be deleted: " + err.Error())
		}
	}()
	pod, err := awaitPod(ctx, k, job, o)
	if err != nil {
		return JobResult{}, err
	}
	if err := follow(ctx, k, pod, o.Progress); err != nil {
		return JobResult{}, err
	}
	return collect(ctx, k, job, pod)
}

// uniqueJob gives the manifest's Job a unique name.
func uniqueJob(manifest []byte) (Ref, []byte, error) {
	var fields map[string]any
	if err := yaml.Unmarshal(manifest, &fields); err != nil {
		return Ref{}, nil, fmt.Errorf("the job's manifest: %w", err)
	}
	meta, _ := fields["metadata"].(map[string]any)
	name, _ := meta["name"].(string)
	namespace, _ := meta["namespace"].(string)
	if fields["kind"] != "Job" || name == "" || namespace == "" {
		return Ref{}, nil, errors.New("the job's manifest: want a Job with a name and a namespace")
	}
	suffix := make([]byte, 3)
	_, _ = rand.Read(suffix) // never fails
	name += "-" + hex.EncodeToString(suffix)
	meta["name"] = name
	doc, err := json.Marshal(fields)
	return Ref{"Job", namespace, name}, doc, err
}

// jobPod asks for the Job's pod. A new Job has no pod yet.
func jobPod(ctx context.Context, k Kubectl, job Ref) (Pod, bool, error) {
	raw, err := k.Kubectl(ctx, nil, "get", "pods", "--namespace="+job.Namespace, "--selector=batch.kubernetes.io/job-name="+job.Name, "--output=json")
	if err != nil {
		return Pod{}, false, err
	}
	s, err := parseState(raw)
	if err != nil || len(s.pods) == 0 {
		return Pod{}, false, err
	}
	return s.pods[0], true, nil
}

// started tells whether the pod's containers have begun to run, or to end.
func (p Pod) started() bool { return p.Phase != "Pending" && p.Phase != "" }

// awaitPod waits until the Job's pod runs. The error explains why a pod cannot start.
func awaitPod(ctx context.Context, k Kubectl, job Ref, o JobOptions) (Pod, error) {
	begin := time.Now()
	asked := begin
	w := Workload{Ref: job, Desired: 1, Seen: true}
	r := newRollout([]Ref{job}, begin, o.Start)
	for {
		pod, there, err := jobPod(ctx, k, job)
		if ctx.Err() != nil {
			return pod, context.Cause(ctx)
		}
		now := time.Now()
		if err == nil && there && pod.started() {
			return pod, nil
		}
		if err == nil {
			s := clusterState{}
			if w.Pods = nil; there {
				w.Pods = []Pod{pod}
			}
			if r.wantsEvents(now) && now.Sub(asked) > 5*time.Second {
				asked = now
				if raw, err := k.Kubectl(ctx, nil, "get", "events", "--namespace="+job.Namespace, "--output=json"); err == nil {
					s.events, _ = parseEvents(raw)
				}
			}
			s.workloads = []Workload{w}
			if _, end, err := r.observe(s, now); end {
				return pod, fmt.Errorf("the job does not start: %s", Explain(ctx, k, err, o.Flags))
			}
		} else if now.Sub(begin) > o.Start {
			return pod, fmt.Errorf("the job does not start: %w", err)
		}
		if err := wait.For(ctx, 300*time.Millisecond); err != nil {
			return pod, err
		}
	}
}

// follow passes on the pod's lines of progress until the pod ends. When the stream breaks
// off, follow opens it again and skips the lines that it has passed on already.
func follow(ctx context.Context, k Kubectl, pod Pod, progress func(string)) error {
	told := 0
	for {
		lines := splitter{skip: told, progress: progress}
		err := k.KubectlTo(ctx, &lines, nil, "logs", pod.Name, "--namespace="+pod.Namespace, "--follow")
		lines.flush()
		told = max(told, lines.seen)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		now, err2 := podByName(ctx, k, pod)
		if err2 == nil && (now.Phase == "Succeeded" || now.Phase == "Failed") {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if errors.Is(err2, errPodGone) {
			return fmt.Errorf("the job's pod %s was deleted while it ran", pod.Name)
		}
		if err := wait.For(ctx, time.Second); err != nil {
			return err
		}
		_ = err // the stream broke off, but the pod still runs: open the stream again
	}
}

var errPodGone = errors.New("the pod is gone")

// podByName looks at the pod again.
func podByName(ctx context.Context, k Kubectl, pod Pod) (Pod, error) {
	raw, err := k.Kubectl(ctx, nil, "get", "pods", pod.Name, "--namespace="+pod.Namespace, "--ignore-not-found", "--output=json")
	if err != nil {
		return Pod{}, err
	}
	if len(bytes.TrimSpace(raw)) == 0 {
		return Pod{}, errPodGone
	}
	var i item
	if err := json.Unmarshal(raw, &i); err != nil {
		return Pod{}, err
	}
	return i.pod(), nil
}

// collect reads the whole log of the pod once the pod has ended, because a stream may have
// lost its last lines.
func collect(ctx context.Context, k Kubectl, job Ref, pod Pod) (JobResult, error) {
	deadline := time.Now().Add(endWithin)
	for {
		now, err := podByName(ctx, k, pod)
		if ctx.Err() != nil {
			return JobResult{}, context.Cause(ctx)
		}
		if err == nil && len(now.Containers) > 0 && now.Containers[0].Over {
			out, err := k.Kubectl(ctx, nil, "logs", pod.Name, "--namespace="+pod.Namespace)
			if err != nil {
				return JobResult{}, fmt.Errorf("reading the job's log: %w", err)
			}
			ended := now.Containers[0].Ended
			result := JobResult{ExitCode: ended.ExitCode}
			lines := splitter{rest: &result.Output}
			_, _ = lines.Write(out)
			lines.flush()
			if ended.Reason == "OOMKilled" {
				return result, fmt.Errorf("the job %s was killed because it used more memory than its limit", job.Name)
			}
			return result, nil
		}
		if err == nil {
			err = errors.New("its pod has not ended")
		}
		if time.Now().After(deadline) {
			return JobResult{}, fmt.Errorf("the job %s: %w", job.Name, err)
		}
		if err := wait.For(ctx, 300*time.Millisecond); err != nil {
			return JobResult{}, err
		}
	}
}
