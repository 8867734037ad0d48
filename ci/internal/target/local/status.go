package local

import (
	"context"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/copies"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Status asks every component how it is. It fails with [target.ErrNotUp] when the
// lab does not run.
func (l *Lab) Status(ctx context.Context) (*State, target.Status, error) {
	state, err := l.State()
	if err != nil {
		return nil, target.Status{}, err
	}
	at, err := l.reached(state)
	if err != nil {
		return nil, target.Status{}, err
	}
	s := target.Status{Target: target.Local, Started: state.Started, Components: []target.Component{}}
	for _, name := range order {
		p := state.process(name)
		if p == nil {
			continue
		}
		i := p.look(ctx)
		c := target.Component{Name: name, State: i.State, Desired: 1, URL: state.Addresses.URL(name), Instances: []target.Instance{i}}
		if i.Ready {
			c.Ready = 1
		}
		s.Components = append(s.Components, c)
	}
	if c, made, err := copies.Ask(ctx, at.Client(time.Second), at.Alloy, copies.Forward); err == nil && made {
		s.Forward = &c
	}
	s.Sum()
	return state, s, nil
}

// look asks the process how it is.
func (p *Process) look(ctx context.Context) target.Instance {
	i := target.Instance{Name: p.Name, PID: p.PID, State: "ended", Log: p.Log}
	if p.Created > 0 {
		i.Started = time.UnixMilli(p.Created).UTC()
	}
	if !p.alive() {
		i.Detail = "see " + p.Log + "; `" + command.Name() + " up` starts it again"
		return i
	}
	i.MemoryBytes = int64(p.memory())
	ok, answer := p.probe(ctx, time.Second)
	if i.Ready = ok; ok {
		i.State = target.Ready
	} else {
		i.State, i.Detail = "not ready", answer
	}
	return i
}

// Status implements [target.Target].
func (t *Target) Status(ctx context.Context) (target.Status, error) {
	lab, err := t.lab()
	if err != nil {
		return target.Status{}, err
	}
	_, s, err := lab.Status(ctx)
	return s, err
}
