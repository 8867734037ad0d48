package verify

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// requestCounters are the counters of all requests, the frontend's and the
// backend's.
var requestCounters = []string{
	`http_server_request_duration_seconds_count{service_name="frontend"}`,
	`http_server_request_duration_seconds_count{service_name="backend"}`,
}

// always are series that have a sample from every export of a service, also of one
// that has had no request yet.
var always = []string{`go_goroutine_count{service_name="frontend"}`, `go_goroutine_count{service_name="backend"}`}

// A baseline is what the lab had counted before something: each counter by its
// selector.
type baseline map[string]counter

// get returns the counter with that selector.
func (b baseline) get(selector string) counter {
	c, ok := b[selector]
	switch {
	case ok:
		return c
	case len(b) == 0: // the check of the earlier run has failed for it
		return counter{selector: selector, err: skipReason("what was counted before the traffic is not known")}
	}
	return counter{selector: selector, err: fmt.Errorf("%s was not read before the traffic: does another version of the lab send it?", selector)}
}

// CountBefore returns a function for [traffic.Options.Before]: it reads the counters
// that `verify --run` later compares with. It waits some seconds, until Mimir has
// samples that are newer than the call: only then all earlier requests and losses
// are in the counters. An error says why there are no such samples.
func CountBefore(at target.Addresses) func(context.Context) (traffic.Before, error) {
	return func(ctx context.Context) (traffic.Before, error) {
		v := &verifier{Options: Options{Addresses: at}, timing: usual()}
		defer v.connect()()
		return v.countBefore(ctx)
	}
}

func (v *verifier) countBefore(ctx context.Context) (traffic.Before, error) {
	err := v.settled(ctx)
	before := traffic.Before{At: time.Now(), Counters: map[string]float64{}}
	errs := []error{err}
	for selector, c := range v.readBaseline(ctx, before.At) {
		before.Counters[selector] = c.value
		errs = append(errs, c.err)
	}
	return before, errors.Join(errs...)
}

// readBaseline reads the counters of requests and of losses as they were at a time.
func (v *verifier) readBaseline(ctx context.Context, at time.Time) baseline {
	selectors := append([]string{}, requestCounters...)
	for _, l := range losses {
		selectors = append(selectors, l.selector())
	}
	selectors = append(selectors, forwarding.selector())
	b := baseline{}
	for i, c := range v.readAll(ctx, selectors, at) {
		b[selectors[i]] = c
	}
	return b
}

// baselineOf is what a report of traffic says was counted before it.
func baselineOf(before traffic.Before) baseline {
	b := baseline{}
	for selector, value := range before.Counters {
		b[selector] = counter{selector: selector, at: before.At, value: value}
	}
	return b
}

// begin returns what was counted before the traffic that verify is about: what the
// report of an earlier run says, or what the lab has counted by now.
func (v *verifier) begin(ctx context.Context) (baseline, error) {
	if v.Run != nil {
		run := *v.Run // earlierRun may change it
		v.Run = &run
		v.earlierRun(v.Run)
		return baselineOf(v.Run.Before), context.Cause(ctx)
	}
	v.Progress("waiting until all earlier losses are counted")
	_ = v.settled(ctx) // the checks of the metrics report what is not counted in time
	return v.readBaseline(ctx, time.Now()), context.Cause(ctx)
}

// settled waits until all that the lab has counted by now is in Mimir, for a bounded
// time: until both services have exported, if the lab has them, and all of the stack was
// scraped.
func (v *verifier) settled(ctx context.Context) error {
	begin := time.Now()
	return v.poll(ctx, v.timing.settled, func(ctx context.Context) error {
		var errs []error
		if v.hasServices() {
			errs = append(errs, v.servicesSince(ctx, begin))
		}
		for _, job := range stackJobs {
			errs = append(errs, v.sampledSince(ctx, fmt.Sprintf(`up{job=%q}`, job), begin))
		}
		return errors.Join(errs...)
	})
}

// servicesSince fails unless both services have exported since a time, and their
// request counters, where there are any, are from such an export.
func (v *verifier) servicesSince(ctx context.Context, since time.Time) error {
	for _, selector := range always {
		if err := v.sampledSince(ctx, selector, since); err != nil {
			return err
		}
	}
	for _, selector := range requestCounters {
		if err := v.sampledSince(ctx, selector, since); err != nil && !errors.Is(err, errNoSeries) {
			return err
		}
	}
	return nil
}

// sampledSince fails unless all series that are still written have a sample from
// that time on. It is errNoSeries when there are none.
func (v *verifier) sampledSince(ctx context.Context, selector string, since time.Time) error {
	now := time.Now()
	samples, err := v.mimir.Instant(ctx, "timestamp("+selector+")", now)
	if err != nil {
		return err
	}
	written := 0
	for _, s := range samples {
		at := time.UnixMilli(int64(s.Value * 1000))
		switch {
		case now.Sub(at) > v.timing.alive: // of an instance that has ended
		case at.Before(since):
			return fmt.Errorf("the last sample of %s is from %.1f s ago, and a newer one was awaited", selector, now.Sub(at).Seconds())
		default:
			written++
		}
	}
	if written == 0 {
		return fmt.Errorf("%w within %v: %s", errNoSeries, v.timing.alive, selector)
	}
	return nil
}
