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

// lookEvery is how often a followed workload is asked for pods that are new.
const lookEvery = 2 * time.Second

// followLogs writes what the workload's pods go on to print until ctx ends. A pod that
// takes the place of another, and a container that starts again, are followed, too:
// kubectl itself follows only the pods that are there when it begins.
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
			// A stream that breaks off with its pod is no failure.
			streams.Go(func() { _ = k.KubectlTo(ctx, out, nil, args...) })
		}
		if err := wait.For(ctx, every); err != nil {
			return whenOver(ctx, err)
		}
	}
}

// whenOver is nil once ctx has ended: that is how following ends.
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
