package chaos

import (
	"cmp"
	"context"
	"errors"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// observing is an observation that goes on.
type observing interface {
	// addresses says where the components listen; the zero value where this program
	// reaches none.
	addresses() target.Addresses
	// begun returns when the traffic runs.
	begun(ctx context.Context) error
	// awaits tells whether alert and settled can see what happens in the lab.
	awaits() bool
	// alert tells whether the alert has fired, and whether it is over.
	alert(name string) (fired, over bool)
	// settled returns when every signal is fresh since that time, or after so long.
	settled(ctx context.Context, since time.Time, within time.Duration) error
	// stop ends the traffic, and result waits for the account.
	stop()
	result(ctx context.Context) (Observation, error)
}

// observe begins an observation: from this program, or inside the target.
func (o Options) observe(ctx context.Context, s Scenario) (observing, error) {
	opts := ObserveOptions{
		Rate: cmp.Or(o.Rate, s.Rate, DefaultRate), Duration: maxDuration, Patience: cmp.Or(s.Patience, DefaultPatience), Progress: o.Say, Line: o.Line,
	}
	switch t := o.Lab.(type) {
	case target.Remote:
		return observeInside(ctx, t, opts, s, o.Say), nil
	case target.Reachable:
		at, err := t.Addresses(ctx)
		if err != nil {
			return nil, err
		}
		opts.Addresses = at
		return observeHere(ctx, opts), nil
	}
	return nil, target.ErrNotHere
}

// maxDuration bounds the traffic of one scenario.
const maxDuration = 4 * time.Hour

var errEarly = errors.New("the traffic has ended before the harm")

// observed is the end of an observation.
type observed struct {
	observation Observation
	err         error
}

// here is an observation from this program.
type here struct {
	b     *observer
	done  chan observed
	ended *observed
}

func observeHere(ctx context.Context, opts ObserveOptions) *here {
	h := &here{b: newObserver(opts), done: make(chan observed, 1)}
	go func() {
		observation, err := h.b.run(ctx)
		h.done <- observed{observation, err}
	}()
	return h
}

func (h *here) addresses() target.Addresses { return h.b.o.Addresses }

func (h *here) begun(ctx context.Context) error {
	select {
	case <-h.b.began:
		return nil
	case end := <-h.done:
		h.ended = &end
		if end.err != nil {
			return end.err
		}
		return errEarly
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (h *here) awaits() bool { return true }

func (h *here) alert(name string) (fired, over bool) { return h.b.w.alert(name) }

func (h *here) settled(ctx context.Context, since time.Time, within time.Duration) error {
	return until(ctx, within, func() bool { return h.b.w.freshSince(since) })
}

func (h *here) stop() { h.b.end() }

func (h *here) result(context.Context) (Observation, error) {
	if h.ended == nil {
		end := <-h.done
		h.ended = &end
	}
	return h.ended.observation, h.ended.err
}
