package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// ownLab is a lab that a figure has brought up for itself.
type ownLab struct {
	target target.Target
	at     target.Addresses
	groups []group
}

// newLab brings a lab up. The caller must call release.
func newLab(ctx context.Context, o Options) (_ ownLab, release func(), err error) {
	if o.Lab == nil {
		return ownLab{}, nil, errSkip("this figure needs a lab on this machine")
	}
	o.step("bringing a lab up")
	t, release, err := o.Lab.Temporary(ctx)
	if err != nil {
		return ownLab{}, nil, err
	}
	defer func() {
		if err != nil {
			release()
		}
	}()
	reachable, ok := t.(target.Reachable)
	if !ok {
		return ownLab{}, nil, errSkip("figures are measured on this machine; leave --target out")
	}
	l := ownLab{target: t}
	if l.at, err = reachable.Addresses(ctx); err != nil {
		return ownLab{}, nil, err
	}
	if l.groups, err = processes(ctx, t); err != nil {
		return ownLab{}, nil, err
	}
	return l, release, nil
}

// processes lists the lab's processes.
func processes(ctx context.Context, t target.Target) ([]group, error) {
	status, err := t.Status(ctx)
	if err != nil {
		return nil, err
	}
	var groups []group
	for _, c := range status.Components {
		for _, i := range c.Instances {
			if i.PID == 0 {
				return nil, errSkip("the processes of this target are not on this machine")
			}
			groups = append(groups, group{i.Name, i.PID})
		}
	}
	return groups, nil
}

// restless is the share of one core that a lab at rest may use: what its scrapes and exports
// take.
const restless = 0.25

// settle waits until the lab has worked off what it was sent, and is at rest: two seconds in
// a row. It gives up after a while, with an error.
func (l ownLab) settle(ctx context.Context, within time.Duration) error {
	deadline := time.Now().Add(within)
	calm := 0
	before, err := measureAll(l.groups)
	if err != nil {
		return err
	}
	for calm < 2 {
		if time.Now().After(deadline) {
			return fmt.Errorf("the lab is still busy %v after the last request", within)
		}
		if err := wait.For(ctx, time.Second); err != nil {
			return err
		}
		after, err := measureAll(l.groups)
		if err != nil {
			return errors.Join(err, errors.New("a component of the lab has ended"))
		}
		calm++
		if processorBetween(before, after) > restless {
			calm = 0
		}
		before = after
	}
	return nil
}

// httpClient asks the stores.
var httpClient = &http.Client{Timeout: 2 * time.Minute}

func waitSecond(ctx context.Context) error { return wait.For(ctx, time.Second) }
