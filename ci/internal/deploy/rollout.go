package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/progress"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// RolloutOptions say how to wait.
type RolloutOptions struct {
	// Timeout bounds the wait; 0 is 3 minutes.
	Timeout time.Duration
	// NodesStarted is when each node was started, by its name. The cluster's report of
	// pods that ran before that time is out of date: they must come back first.
	NodesStarted map[string]time.Time
	// Namespaces are namespaces all of whose workloads Rollout waits for, too: those of
	// the cluster itself, such as the DNS server that pods find each other by.
	Namespaces []string
	// Progress gets a line for each workload that becomes ready. It may be nil.
	Progress func(line string)
}

const (
	defaultRollout = 3 * time.Minute
	pollEvery      = time.Second
	// tellEvery is the time between two lines about the workloads that are not ready yet.
	tellEvery = progress.Every
	// eventsAfter is the time after which a slow rollout asks for the events, too.
	eventsAfter = 8 * time.Second
)

// Stuck is the error of a rollout that has ended before every workload was ready.
type Stuck struct {
	// Failures are the workloads that are not ready.
	Failures []Failure
	// Ready and All count the workloads.
	Ready, All int
	// TimedOut says that the time ran out and no other obstacle was found.
	TimedOut bool
	// After is how long Rollout has waited.
	After time.Duration
}

// Failure is a workload that does not become ready.
type Failure struct {
	Workload
	// Obstacle is the reason; nil when only time has run out.
	Obstacle *Obstacle
}

// Error names the workloads and the reasons, in a line; see [Explain] for more.
func (s *Stuck) Error() string {
	var parts []string
	for _, f := range s.Failures {
		reason := f.state()
		if f.Obstacle != nil {
			reason = f.Obstacle.Reason
		}
		parts = append(parts, f.Name+" ("+reason+")")
	}
	return fmt.Sprintf("%d of %d workloads are not ready after %.0f s: %s", s.All-s.Ready, s.All, s.After.Seconds(), strings.Join(parts, ", "))
}

// Rollout waits until all the workloads are ready in their newest version. It ends early,
// with a *Stuck, when one of them can never become ready. It returns how long each workload
// took that was not ready from the beginning.
func Rollout(ctx context.Context, k Kubectl, workloads []Ref, o RolloutOptions) (map[Ref]time.Duration, error) {
	if o.Timeout == 0 {
		o.Timeout = defaultRollout
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	r := newRollout(workloads, time.Now(), o.Timeout)
	for {
		s, err := readState(ctx, k, r.wantsEvents(time.Now()))
		if ctx.Err() != nil {
			return r.took, context.Cause(ctx)
		}
		if err == nil {
			s.forgetBefore(o.NodesStarted)
			r.awaitAll(s, o.Namespaces)
			lines, end, err := r.observe(s, time.Now())
			for _, line := range lines {
				o.Progress(line)
			}
			if end {
				return r.took, err
			}
			r.replaceStuck(ctx, k, s, o.Progress)
		} else if time.Since(r.begin) > o.Timeout {
			return r.took, fmt.Errorf("waiting for the workloads: %w", err)
		}
		if err := wait.For(ctx, pollEvery); err != nil {
			return r.took, err
		}
	}
}

// rollout is the state of a rollout that goes on.
type rollout struct {
	want     []Ref
	begin    time.Time
	deadline time.Time
	// first says that observe has not been called yet.
	first bool
	// took is how long each workload took that was not ready at first.
	took map[Ref]time.Duration
	// done has the workloads that were ready at the last look.
	done map[Ref]bool
	// since is when each obstacle was first seen, by workload and reason.
	since map[string]time.Time
	told  time.Time
	// replaced are the old pods that were deleted because their StatefulSet waits for
	// them for ever.
	replaced map[string]bool
}

func newRollout(workloads []Ref, begin time.Time, timeout time.Duration) *rollout {
	return &rollout{want: workloads, begin: begin, deadline: begin.Add(timeout), first: true, told: begin,
		took: map[Ref]time.Duration{}, done: map[Ref]bool{}, since: map[string]time.Time{}, replaced: map[string]bool{}}
}

// awaitAll makes the rollout wait for the workloads of the namespaces, too.
func (r *rollout) awaitAll(s clusterState, namespaces []string) {
	for _, w := range s.workloads {
		if slices.Contains(namespaces, w.Namespace) && !slices.Contains(r.want, w.Ref) {
			r.want = append(r.want, w.Ref)
		}
	}
}

func (r *rollout) wantsEvents(now time.Time) bool { return now.Sub(r.begin) > eventsAfter }

// observe updates the rollout with the cluster's state. It returns the lines to print,
// whether the rollout has ended, and with which error.
func (r *rollout) observe(s clusterState, now time.Time) (lines []string, end bool, err error) {
	var open []Failure
	var stuck bool
	seen := map[string]time.Time{}
	for _, ref := range r.want {
		i := slices.IndexFunc(s.workloads, func(w Workload) bool { return w.Ref == ref })
		w := Workload{Ref: ref}
		if i >= 0 {
			w = s.workloads[i]
		}
		if w.Done {
			if !r.first && !r.done[ref] {
				r.took[ref] = now.Sub(r.begin)
				lines = append(lines, fmt.Sprintf("%s %d/%d ready in %.1f s", ref.Name, w.Ready, w.Desired, r.took[ref].Seconds()))
			}
			r.done[ref] = true
			continue
		}
		r.done[ref] = false
		f := Failure{Workload: w}
		for _, o := range w.obstacles(s.events) {
			key := ref.String() + " " + o.Reason
			from, known := r.since[key]
			if !known {
				from = now
			}
			seen[key] = from
			if f.Obstacle == nil {
				f.Obstacle = &o
			}
			stuck = stuck || now.Sub(from) >= o.grace
		}
		open = append(open, f)
	}
	r.since = seen
	switch {
	case len(open) == 0:
		return lines, true, nil
	case stuck, now.After(r.deadline):
		return lines, true, &Stuck{Failures: worstFirst(open), Ready: len(r.want) - len(open), All: len(r.want), TimedOut: !stuck, After: now.Sub(r.begin)}
	case r.first || now.Sub(r.told) >= tellEvery:
		lines = append(lines, waiting(open))
		r.told = now
	}
	r.first = false
	return lines, false, nil
}

// worstFirst puts the workloads with an obstacle before those without.
func worstFirst(open []Failure) []Failure {
	slices.SortStableFunc(open, func(a, b Failure) int {
		switch {
		case a.Obstacle != nil && b.Obstacle == nil:
			return -1
		case a.Obstacle == nil && b.Obstacle != nil:
			return 1
		}
		return 0
	})
	return open
}

func waiting(open []Failure) string {
	var parts []string
	for _, f := range open {
		parts = append(parts, fmt.Sprintf("%s %d/%d %s", f.Name, f.Ready, f.Desired, f.state()))
	}
	return "waiting for " + strings.Join(parts, " · ")
}

// replaceStuck deletes a StatefulSet's pods of an older version that never became ready.
// Otherwise the set would wait for them for ever before it replaces them.
func (r *rollout) replaceStuck(ctx context.Context, k Kubectl, s clusterState, progress func(string)) {
	for _, w := range s.workloads {
		if w.Kind != "StatefulSet" || !w.Seen || !slices.Contains(r.want, w.Ref) {
			continue
		}
		for _, p := range w.Old {
			if _, bad := p.obstacle(s.events); !bad || p.Leaving || r.replaced[p.Name] {
				continue
			}
			r.replaced[p.Name] = true
			progress(fmt.Sprintf("%s of an earlier version cannot start; replacing it", p.Name))
			if _, err := k.Kubectl(ctx, nil, "delete", "pod", p.Name, "--namespace="+p.Namespace, "--wait=false", "--ignore-not-found"); err != nil {
				progress(err.Error())
			}
		}
	}
}
