package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// Down stops every process of the lab, in the reverse of the order in which they start,
// and those that a crashed run left behind. It returns the names of what it stopped, and
// keeps the data. Down waits for the components to finish, [stopWithin] at most; when
// ctx ends it kills what still runs.
func (l *Lab) Down(ctx context.Context) (stopped []string, err error) {
	_, kind, err := labdir.Inspect(l.layout.dir)
	if err != nil {
		return nil, err
	}
	switch kind {
	case labdir.Absent, labdir.Empty, labdir.Foreign:
		return nil, ErrNotUp
	}
	unlock, err := l.claim(ctx)
	if err != nil {
		return nil, err
	}
	defer unlock()
	return l.down(ctx)
}

func (l *Lab) down(ctx context.Context) (stopped []string, err error) {
	state, err := l.State()
	if err != nil {
		state = &State{} // the strays below are then all there is
	}
	all := append(l.strays(state.Processes), state.Processes...)
	for _, p := range all {
		if p.alive() {
			stopped = append(stopped, p.Name)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopWithin)
	defer cancel()
	if err := l.stopAll(ctx, state, all); err != nil {
		return stopped, err
	}
	if err := l.folder.Remove(stateName); err != nil {
		return stopped, err
	}
	if len(stopped) == 0 {
		return nil, ErrNotUp
	}
	awaitReaped(all)
	return stopped, nil
}

// awaitReaped waits a while until the ended processes have no entry in the system's
// table any more, which whoever counts the processes by their id takes for running. A
// container's first program may never reap them.
func awaitReaped(all []Process) {
	const within = 3 * time.Second
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if !slices.ContainsFunc(all, Process.hasEntry) {
			return
		}
	}
}

// Reset stops the lab, when it runs, and deletes all that it has stored: data,
// logs and the copies of the configuration. It returns the bytes freed. It refuses a
// folder that is not the lab's.
func (l *Lab) Reset(ctx context.Context) (freed int64, err error) {
	_, kind, err := labdir.Inspect(l.layout.dir)
	if err != nil || kind == labdir.Absent || kind == labdir.Empty {
		return 0, err
	}
	unlock, err := l.claim(ctx)
	if err != nil {
		return 0, err
	}
	defer unlock()
	if _, err := l.down(ctx); err != nil && !errors.Is(err, ErrNotUp) {
		return 0, err
	}
	freed = l.folder.Size(stored...)
	return freed, l.folder.Remove(stored...)
}

// stopWithin bounds the stopping of a whole lab. Components that stop by themselves take
// a few seconds together.
const stopWithin = 90 * time.Second

// stopAll stops the processes in the reverse of the order in which they start, and
// forgets them. When ctx ends it kills those that still run, and says so.
func (l *Lab) stopAll(ctx context.Context, state *State, processes []Process) error {
	var errs []error
	for _, name := range slices.Backward(order) {
		for _, p := range processes {
			if p.Name != name {
				continue
			}
			begin := time.Now()
			killed, err := p.stop(ctx, graceOf(name))
			if killed {
				l.cfg.Progress(fmt.Sprintf("%s (process %d) did not stop within %.0f s: killed it", p.Name, p.PID, time.Since(begin).Seconds()))
			}
			if err != nil {
				errs = append(errs, err)
				continue
			}
			state.remove(p)
			errs = append(errs, state.write(l.folder))
		}
	}
	return errors.Join(errs...)
}

// graceOf is how long a component may take to stop when asked. A service drains for
// up to 20 s and then flushes its telemetry. Tempo's parts that hold data take 5 s,
// for most of which its generator of metrics sleeps; its query frontend never ends
// when it was asked something within the last half minute
// (https://github.com/grafana/tempo/pull/7967), and is not waited for.
func graceOf(name string) time.Duration {
	switch name {
	case target.Backend, target.Frontend:
		return 30 * time.Second
	case target.Tempo:
		return 8 * time.Second
	}
	return 15 * time.Second
}

// Ended returns an error for each component of the state that has ended.
func (s *State) Ended() []*ComponentError {
	var ended []*ComponentError
	for _, p := range s.Processes {
		if !p.alive() {
			ended = append(ended, componentError(p, "has ended"))
		}
	}
	return ended
}

// PID is the process of the named component, 0 when there is none.
func (s *State) PID(name string) int {
	if p := s.process(name); p != nil {
		return p.PID
	}
	return 0
}
