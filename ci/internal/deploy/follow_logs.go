package deploy

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// lookEvery is the time between two looks for new pods of a followed workload.
const lookEvery = 2 * time.Second

// followLogs writes the logs of the workload's pods until ctx ends. It also follows a pod
// that replaces another, and a container that starts again: kubectl itself follows only the
// pods that are there when it begins.
func followLogs(ctx context.Context, k Kubectl, w io.Writer, ref Ref, every time.Duration) error {
	out := &oneAtATime{w: w}
	var streams sync.WaitGroup
	defer streams.Wait()
	followed := map[string]bool{}
	for {
		s, err := readState(ctx, k, false)
		if err != nil {
			return whenOver(ctx, err)
		}
		i := slices.IndexFunc(s.workloads, func(found Workload) bool { return found.Ref == ref })
		if i < 0 {
			return fmt.Errorf("%s is gone", ref.Name)
		}
		for _, pod := range append(slices.Clone(s.workloads[i].Pods), s.workloads[i].Old...) {
			life := fmt.Sprintf("%s/%d", pod.Name, pod.Restarts())
			if followed[life] || !pod.started() {
				continue
			}
			followed[life] = true
			args := []string{"logs", pod.Name, "--namespace=" + pod.Namespace, "--all-containers", "--tail=-1", "--follow"}
			if s.workloads[i].Desired > 1 {
				args = append(args, "--prefix")
			}
			// A stream that breaks off when its pod ends is not a failure.
			streams.Go(func() { _ = k.KubectlTo(ctx, out, nil, args...) })
		}
		if err := wait.For(ctx, every); err != nil {
			return whenOver(ctx, err)
		}
	}
}

// whenOver returns nil once ctx has ended, because followLogs ends that way, else err.
func whenOver(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// oneAtATime lets several streams write to one writer.
type oneAtATime struct {
	mu sync.Mutex
	w  io.Writer
}

// Write implements io.Writer.
func (o *oneAtATime) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.w.Write(p)
}
