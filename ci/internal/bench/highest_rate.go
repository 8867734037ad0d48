package bench

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// rateGoal is the goal of the highest rate, in requests a second.
const rateGoal = 1000

// The search begins at firstRate, and ends when the highest rate that holds and the lowest
// that does not are closer than closeEnough.
const (
	firstRate   = 500
	closeEnough = 1.15
	rateFor     = 20 * time.Second
)

// highestRate searches the highest rate at which verify still finds everything. Each try has
// a lab of its own, because one that was overrun is busy for minutes.
func highestRate(ctx context.Context, o Options) ([]Row, []string, error) {
	holds, fails := 0.0, 0.0
	var notes []string
	for rate := float64(firstRate); ; {
		bad, err := tryRate(ctx, o, rate)
		if err != nil {
			return nil, nil, err
		}
		if bad == "" {
			holds = rate
		} else {
			fails = rate
			notes = append(notes, fmt.Sprintf("At %.0f/s: %s", rate, bad))
		}
		switch {
		case fails == 0:
			rate *= 2
		case holds == 0:
			rate /= 2
		case fails/holds < closeEnough:
			return []Row{
				row("highest rate at which `lab verify` finds everything", PerSecond, holds).over(rateGoal),
				row("lowest rate tried at which it does not", PerSecond, fails),
			}, append([]string{fmt.Sprintf("`lab verify` with traffic for %v, at rates found by halving. Lab and generator are on the same cores.", rateFor)}, notes...), nil
		default:
			rate = (holds + fails) / 2
		}
		if rate < 1 {
			return nil, nil, errors.New("verify finds something missing at any rate: " + bad)
		}
	}
}

// tryRate says what verify misses at this rate; "" when nothing.
func tryRate(ctx context.Context, o Options, rate float64) (bad string, err error) {
	lab, release, err := newLab(ctx, o)
	if err != nil {
		return "", err
	}
	defer release()
	p, err := traffic.ByName("heavy")
	if err != nil {
		return "", err
	}
	if p, err = p.With(traffic.Overrides{Rate: rate, Duration: rateFor}); err != nil {
		return "", err
	}
	r, err := verify.Run(ctx, verify.Options{Addresses: lab.at, Profile: p, Progress: func(line string) { o.step("%.0f/s: %s", rate, line) }})
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil { // the lab does not even answer
		return err.Error(), nil
	}
	for _, c := range r.Checks {
		if c.Failed() {
			return report.OneLine(c.Group + ", " + c.Name + ": " + c.Detail), nil
		}
	}
	return "", nil
}
