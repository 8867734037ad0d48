package chaos

import (
	"context"
	"fmt"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// inside is an observation by a command inside the target, which cannot be told when the
// harm ends: it lasts as long as the scenario may.
type inside struct {
	done chan observed
	lead time.Duration
}

// lead is how long a Job may take to begin: its pod must start, and it waits until all
// earlier requests are counted.
const lead = 45 * time.Second

// mending is how long the components may take to be ready again.
const mending = 90 * time.Second

func observeInside(ctx context.Context, t target.Remote, opts ObserveOptions, s Scenario, say func(string)) *inside {
	duration := lead + calm + s.InjectWithin + s.Hold + mending + s.freshWithin() + afterFresh
	i := &inside{done: make(chan observed, 1), lead: lead}
	args := []string{
		"chaos", "--observe=" + duration.String(), fmt.Sprintf("--rate=%g", opts.Rate), "--patience=" + opts.Patience.String(),
	}
	go func() {
		observation, err := target.Do(ctx, target.Target(t), target.Work[Observation]{Args: args, Remark: say})
		i.done <- observed{observation, err}
	}()
	return i
}

func (i *inside) addresses() target.Addresses { return target.Addresses{} }

func (i *inside) begun(ctx context.Context) error {
	select {
	case end := <-i.done:
		i.done <- end
		if end.err != nil {
			return end.err
		}
		return errEarly
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(i.lead):
		return nil
	}
}

func (i *inside) awaits() bool { return false }

func (i *inside) alert(string) (fired, over bool) { return false, false }

// settled does not wait: the traffic goes on by itself.
func (i *inside) settled(ctx context.Context, _ time.Time, _ time.Duration) error {
	return wait.For(ctx, 0)
}

func (i *inside) stop() {}

// result waits for the command also when ctx has ended: it then ends soon, and takes away what
// it has made in the target.
func (i *inside) result(context.Context) (Observation, error) {
	end := <-i.done
	return end.observation, end.err
}
