package verify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// A concurrentCheck is one of many checks of a group that do not depend on each
// other.
type concurrentCheck struct {
	name, expected string
	// backend is whom the check asks. The checks of one backend wait for each other,
	// so a backend that hangs delays its own checks alone.
	backend string
	// run makes the check once.
	run func(context.Context) (measured string, err error)
}

// A skipReason is the error of a check that could not be made: the check is skipped,
// and the report says why.
type skipReason string

func (why skipReason) Error() string { return string(why) }

// maxConcurrent bounds the checks of one backend that run at the same time. With more,
// a busy machine answers each of them late, and verify measures its own load.
const maxConcurrent = 4

// checkAll runs all checks, and runs those again that fail, until all pass or the time
// is up. Then it adds them to the report, in their order.
func (v *verifier) checkAll(ctx context.Context, group string, within time.Duration, checks []concurrentCheck) {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	results := make([]lastResult, len(checks))
	byBackend := map[string][]int{}
	for i, c := range checks {
		byBackend[c.backend] = append(byBackend[c.backend], i)
	}
	var all sync.WaitGroup
	for _, numbers := range byBackend {
		all.Go(func() { v.checkBackend(limited, checks, results, numbers) })
	}
	all.Wait()
	for i, c := range checks {
		o, took := results[i].conclude(ctx, within)
		v.add(group, c.name, c.expected, o, took)
	}
}

// checkBackend runs the checks with these numbers, and the failed ones again, round by
// round: a check whose data is late does not hold up the others.
func (v *verifier) checkBackend(ctx context.Context, checks []concurrentCheck, results []lastResult, numbers []int) {
	for {
		var round errgroup.Group
		round.SetLimit(maxConcurrent)
		for _, i := range numbers {
			round.Go(func() error {
				results[i].update(ctx, checks[i])
				return nil
			})
		}
		_ = round.Wait() // the failures are in the results
		numbers = slices.DeleteFunc(numbers, func(i int) bool { return results[i].final })
		if len(numbers) == 0 || wait.For(ctx, v.timing.again) != nil {
			return
		}
	}
}

// A lastResult is what came of a check so far.
type lastResult struct {
	began, ended time.Time // the first run's begin, and the last run's end
	latest       outcome
	// final says that the check need not run again.
	final bool
}

// update runs the check, unless the time is up.
func (r *lastResult) update(ctx context.Context, c concurrentCheck) {
	if ctx.Err() != nil {
		return
	}
	if r.began.IsZero() {
		r.began = time.Now()
	}
	measured, err := c.run(ctx)
	r.ended = time.Now()
	if ctx.Err() != nil && err != nil && r.latest.err != nil {
		return // the failure before says more than that the time was up
	}
	r.latest = outcome{measured, err}
	_, skipped := errors.AsType[skipReason](err)
	r.final = err == nil || skipped
}

// conclude returns the outcome for the report, and how long the check took.
func (r *lastResult) conclude(ctx context.Context, within time.Duration) (outcome, time.Duration) {
	o := r.latest
	switch {
	case r.final:
	case ctx.Err() != nil:
		o.err = context.Cause(ctx)
	case r.began.IsZero():
		o.err = fmt.Errorf("not asked: the others of the group have taken all of %v", within)
	default:
		o.err = fmt.Errorf("after %v: %w", within, o.err)
	}
	return o, r.ended.Sub(r.began)
}
