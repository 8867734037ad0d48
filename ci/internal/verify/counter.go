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

// A counter is the sum of some series, as it was at a time. A series that was not
// there then, or not written any more, counted as 0: an instance that is started
// again under the same name goes on with the series, and begins at 0.
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

// readAll reads counters all at once: should Mimir hang, that takes the time of
// one.
func (v *verifier) readAll(ctx context.Context, selectors []string, at time.Time) []counter {
	counters := make([]counter, len(selectors))
	var all sync.WaitGroup
	for i, selector := range selectors {
		all.Go(func() { counters[i] = v.read(ctx, selector, at) })
	}
	all.Wait()
	return counters
}

// rise returns by how much the counter has risen since it was read, below 0 when
// it has fallen. It looks back as far as the first reading did, so that a series
// that has ended is in both or in neither. A counter without any series is
// errNoSeries.
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

// counts fails while the counter is what it was. One that has fallen counts anew,
// because what keeps it was started again: it does count.
func (v *verifier) counts(ctx context.Context, c counter) (float64, error) {
	by, err := v.rise(ctx, c)
	if err == nil && by == 0 {
		err = fmt.Errorf("%s is still %v", c.selector, c.value)
	}
	return by, err
}

// sumOver sums the last samples within a time. What is not written any more
// leaves the sum after that time, and not after Mimir's own five minutes.
func sumOver(selector string, within time.Duration) string {
	return "sum(last_over_time(" + withRange(selector, within) + "))"
}

func withRange(selector string, within time.Duration) string {
	return selector + "[" + inQuery(within) + "]"
}
