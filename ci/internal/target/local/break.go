package local

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/command"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

var _ target.Breakable = (*Target)(nil)

// named returns the lab's processes of these names. A name that the lab has no process of
// is an error.
func (t *Target) named(names []string) (*Lab, []Process, error) {
	lab, err := t.lab()
	if err != nil {
		return nil, nil, err
	}
	state, err := lab.State()
	if err != nil {
		return nil, nil, err
	}
	var found []Process
	for _, name := range names {
		p := state.process(name)
		if p == nil {
			return nil, nil, fmt.Errorf("%s: %w", name, target.ErrUnknownComponent)
		}
		found = append(found, *p)
	}
	return lab, found, nil
}

// each does something to the processes that still run. The handle is taken before the look
// at the process: it then stays with that process, though its PID should pass to another.
func each(processes []Process, what string, do func(*os.Process) error) error {
	var errs []error
	for _, p := range processes {
		proc, err := os.FindProcess(p.PID)
		if err != nil {
			continue
		}
		if p.alive() {
			if err := do(proc); err != nil && !errors.Is(err, os.ErrProcessDone) {
				errs = append(errs, fmt.Errorf("%s %s (process %d): %w", what, p.Name, p.PID, err))
			}
		}
		_ = proc.Release()
	}
	return errors.Join(errs...)
}

// Kill implements [target.Breakable].
func (t *Target) Kill(ctx context.Context, names ...string) error {
	_, processes, err := t.named(names)
	if err != nil {
		return err
	}
	if err := each(processes, "killing", (*os.Process).Kill); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, killWithin)
	defer cancel()
	for _, p := range processes {
		if !p.gone(ctx) {
			return fmt.Errorf("%s (process %d) does not end", p.Name, p.PID)
		}
	}
	return nil
}

// Terminate implements [target.Breakable]. A component that does not end within the time
// that `lab down` gives it is killed, as there.
func (t *Target) Terminate(ctx context.Context, names ...string) error {
	_, processes, err := t.named(names)
	if err != nil {
		return err
	}
	var ending errgroup.Group
	for _, p := range processes {
		ending.Go(func() error {
			killed, err := p.stop(ctx, graceOf(p.Name))
			if killed && t.o.Say != nil {
				t.o.Say(fmt.Sprintf("%s did not end within %v: killed it", p.Name, graceOf(p.Name)))
			}
			return err
		})
	}
	return ending.Wait()
}

// Freeze implements [target.Breakable].
func (t *Target) Freeze(_ context.Context, names ...string) error {
	_, processes, err := t.named(names)
	if err != nil {
		return err
	}
	return each(processes, "freezing", freeze)
}

// Thaw implements [target.Breakable].
func (t *Target) Thaw(_ context.Context, names ...string) error {
	_, processes, err := t.named(names)
	if err != nil {
		return err
	}
	return each(processes, "thawing", thaw)
}

// Mend implements [target.Breakable].
func (t *Target) Mend(ctx context.Context) error {
	lab, err := t.lab()
	if err != nil {
		return err
	}
	unlock, err := lab.claim(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	return lab.mend(ctx)
}

func (l *Lab) mend(ctx context.Context) error {
	state, err := l.State()
	if err != nil {
		return err
	}
	if err := each(state.Processes, "thawing", thaw); err != nil {
		return err
	}
	// In the order of `up`: the stack, then the services.
	for _, services := range []bool{false, true} {
		if err := l.startEnded(ctx, state, services); err != nil {
			return err
		}
	}
	for _, p := range state.Processes {
		if err := awaitReady(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// startEnded starts those of the stack, or of the services, that have ended.
func (l *Lab) startEnded(ctx context.Context, state *State, services bool) error {
	waiting, waitCtx := errgroup.WithContext(ctx)
	for _, name := range order {
		old := state.process(name)
		if old == nil || old.alive() || services != (name == target.Backend || name == target.Frontend) {
			continue
		}
		if len(old.Env) == 0 {
			return fmt.Errorf("another version of lab has started %s and did not note how; `%s up` starts it", name, command.Name())
		}
		again := spec{
			name: name, path: old.Path, args: old.Args, env: old.Env, dir: old.Dir, ready: old.Ready, receives: old.Receives, fingerprint: old.Fingerprint,
			ports: old.knownPorts(),
		}
		// Whoever has taken its port meanwhile would answer in its place.
		if err := l.awaitPorts(ctx, []spec{again}, true); err != nil {
			return err
		}
		p, cmd, err := l.startOne(again)
		if err != nil {
			return err
		}
		state.set(p)
		if err := state.write(l.folder); err != nil {
			return err
		}
		waiting.Go(func() error { return waitReady(waitCtx, p, cmd, p.Receives) })
	}
	return waiting.Wait()
}

// knownPorts are those ports of the process that the lab has noted.
func (p *Process) knownPorts() []int {
	ports := slices.Clone(p.Receives)
	if u, err := url.Parse(p.Ready); err == nil {
		if n, err := strconv.Atoi(u.Port()); err == nil && !slices.Contains(ports, n) {
			ports = append(ports, n)
		}
	}
	return ports
}

// awaitReady waits until a process that runs already is ready.
func awaitReady(ctx context.Context, p Process) error {
	deadline := time.Now().Add(readyWithin)
	for {
		ok, answer := p.probe(ctx, probeWithin)
		switch {
		case ok:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case !p.alive():
			return componentError(p, "has ended")
		case time.Now().After(deadline):
			return componentError(p, fmt.Sprintf("was not ready after %v (%s: %s)", readyWithin, p.Ready, answer))
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// DataDir is the folder in which the component stores its data.
func (t *Target) DataDir(name string) (string, error) {
	lab, _, err := t.named([]string{name})
	if err != nil {
		return "", err
	}
	return lab.layout.data(name), nil
}
