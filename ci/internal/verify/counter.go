package verify

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// errNoSeries says that Mimir has no sample of what was asked for.
var errNoSeries = errors.New("no such series in Mimir")

// A counter is the sum of some series at a time. A series without a sample then counts
// as 0: the series may begin later, and an instance that is started again under the
// same name continues its series from 0.
type counter struct {
	selector string
	at       time.Time
	value    float64
	// err is why it could not be read.
	err error
}

// read reads the counter as it was at a time.
func (v *verifier) read(ctx context.Context, selector string, at time.Time) counter {
	value, _, err := v.mimir.Scalar(ctx, sumOver(selector, v.timing.alive), at)
	return counter{selector: selector, at: at, value: value, err: err}
}

// readAll reads the counters concurrently: if Mimir hangs, all of them together take
// one time limit.
func (v *verifier) readAll(ctx context.Context, selectors []string, at time.Time) []counter {
	counters := make([]counter, len(selectors))
	var all sync.WaitGroup
	for i, selector := range selectors {
		all.Go(func() { counters[i] = v.read(ctx, selector, at) })
	}
	all.Wait()
	return counters
}

// rise returns by how much the counter has risen since it was read; the result is
// below 0 when the counter has fallen. It looks back as far as the first reading did, so
// a series that has ended is in both readings or in neither. A counter without any
// series is errNoSeries.
func (v *verifier) rise(ctx context.Context, c counter) (float64, error) {
	if c.err != nil {
		return 0, fmt.Errorf("what it was before: %w", c.err)
	}
	now := time.Now()
	value, found, err := v.mimir.Scalar(ctx, sumOver(c.selector, v.timing.alive+now.Sub(c.at)), now)
	switch {
	case err != nil:
		return 0, err
	case !found:
		return 0, fmt.Errorf("%w: %s", errNoSeries, c.selector)
	}
	return value - c.value, nil
}

// counts fails while the counter stands still. A counter that has fallen does count:
// its instance was started again.
func (v *verifier) counts(ctx context.Context, c counter) (float64, error) {
	by, err := v.rise(ctx, c)
	if err == nil && by == 0 {
		err = fmt.Errorf("%s is still %v", c.selector, c.value)
	}
	return by, err
}

// sumOver sums the last samples within a time. A series that gets no more samples
// leaves the sum after that time; Mimir alone would keep it for five minutes.
func sumOver(selector string, within time.Duration) string {
	return "sum(last_over_time(" + withRange(selector, within) + "))"
}

// maxOver is [sumOver] for the largest of the samples.
func maxOver(selector string, within time.Duration) string {
	return "max(last_over_time(" + withRange(selector, within) + "))"
}

func withRange(selector string, within time.Duration) string {
	return selector + "[" + inQuery(within) + "]"
}
