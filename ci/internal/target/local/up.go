package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/labdir"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// claim makes and marks the lab's folder, or refuses one that is not the lab's, and
// keeps a second `lab` from changing the lab at the same time. It waits for the other
// one, and says so.
func (l *Lab) claim(ctx context.Context) (unlock func(), err error) {
	if l.folder, err = labdir.Claim(l.layout.dir); err != nil {
		return nil, err
	}
	l.layout.dir = l.folder.Path
	unlock, err = filelock.Acquire(ctx, l.layout.lock(), func() { l.cfg.Progress(filelock.Waiting("the lab in " + l.layout.dir)) })
	if err != nil {
		return nil, err
	}
	// The other one may have marked the folder at the same time: its mark holds.
	if l.folder, err = labdir.Claim(l.layout.dir); err != nil {
		unlock()
		return nil, err
	}
	return unlock, nil
}

// Up brings the lab up and returns once every component is ready. It returns
// the names of the components that it had to start: none when the lab was
// running, and unchanged. On failure or when ctx ends it stops what it started.
func (l *Lab) Up(ctx context.Context) (state *State, started []string, err error) {
	unlock, err := l.claim(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := l.roomOnDisk(); err != nil {
		return nil, nil, err
	}
	if warning := openFilesWarning(openFilesLimit()); warning != "" {
		l.cfg.Progress(warning)
	}
	state, err = l.State()
	if err != nil {
		if !errors.Is(err, ErrNotUp) {
			l.cfg.Progress(err.Error())
		}
		state = &State{}
	}
	specs, err := l.specs(ctx, state)
	if err != nil {
		return nil, nil, err
	}
	changed := state.changed(specs)
	if busy := busyPorts(specs, loopbacks[1:]); len(busy) > 0 {
		if len(changed) > 0 {
			return nil, nil, portsError(busy)
		}
		l.cfg.Progress("warning: " + strings.Join(busy, "\n"))
	}
	if err := l.retire(ctx, state, changed, specs); err != nil {
		return nil, nil, err
	}
	if err := installServices(changed); err != nil {
		return nil, nil, err
	}
	if len(changed) == 0 {
		return state, nil, state.write(l.folder)
	}
	if err := l.awaitPorts(ctx, changed, len(changed) < len(specs)); err != nil {
		return nil, nil, err
	}
	if state.Started.IsZero() || len(changed) == len(specs) {
		state.Started = time.Now().UTC()
	}
	if err := l.startAll(ctx, state, changed); err != nil {
		return nil, nil, err
	}
	for _, s := range changed {
		started = append(started, s.name)
	}
	return state, started, nil
}

// specs works out what should run, and notes the addresses in the state.
func (l *Lab) specs(ctx context.Context, state *State) ([]spec, error) {
	if !l.cfg.FreePorts {
		if _, err := l.ports(state); err != nil {
			return nil, err // before the programs are compiled, which may take a quarter of an hour
		}
	}
	if err := l.cfg.Retention.Check(); err != nil {
		return nil, err
	}
	closed := l.wantsClosed(state)
	programs, err := l.programs(ctx, closed)
	if err != nil {
		return nil, err
	}
	if err := l.layout.create(l.folder, l.cfg.Files, !l.cfg.NoServices, closed); err != nil {
		return nil, err
	}
	if err := writeHeaders(l.cfg.Forward, l.folder, l.layout); err != nil {
		return nil, err
	}
	services, err := l.services(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]Program{}
	maps.Copy(all, services)
	maps.Copy(all, programs)
	if _, ok := programs[target.Grafana]; l.cfg.Self != "" && (!ok || l.cfg.Inspect) {
		if all[target.Inspector], err = l.inspector(); err != nil {
			return nil, err
		}
	}
	ports, err := l.ports(state)
	if err != nil {
		return nil, err
	}
	state.Ports, state.Addresses = ports, ports.Local()
	if closed {
		state.Addresses = state.Addresses.OverTLS()
		if err := l.certify(); err != nil {
			return nil, err
		}
	}
	if _, ok := all[target.Grafana]; !ok {
		state.Addresses.Grafana = ""
	}
	if _, ok := all[target.Inspector]; !ok {
		state.Addresses.Inspector = ""
	}
	if l.cfg.NoServices {
		state.Addresses.Frontend, state.Addresses.Backend = "", ""
	}
	return plan{
		layout: l.layout, folder: l.folder, ports: ports, addresses: state.Addresses, programs: all,
		inspect: l.cfg.Inspect, closed: closed, forward: l.cfg.Forward, faults: l.cfg.Faults, origins: l.cfg.Origins, databaseURL: l.cfg.DatabaseURL, listen: cmp.Or(l.cfg.Listen, loopbacks[0]), retention: l.cfg.Retention, sampling: l.cfg.Sampling,
	}.specs()
}

// freePorts is target.FreePorts, but for tests.
var freePorts = target.FreePorts

// ports are the ports that the lab is to have now. Those that are free now may not be
// for long.
func (l *Lab) ports(state *State) (target.Ports, error) {
	ports := l.cfg.Ports
	switch {
	case l.cfg.FreePorts && slices.ContainsFunc(state.Processes, Process.alive):
		ports = state.Ports
	case l.cfg.FreePorts:
		var err error
		if ports, err = freePorts(); err != nil {
			return ports, err
		}
	case ports != target.Ports{}:
	case len(l.cfg.SetPorts) == 0 && state.Ports != target.Ports{}:
		ports = state.Ports
	default:
		ports = target.DefaultPorts()
	}
	if ports != ports.Or(target.DefaultPorts()) { // notes of a version with fewer components
		others := target.DefaultPorts()
		if l.cfg.FreePorts {
			var err error
			if others, err = freePorts(); err != nil {
				return ports, err
			}
		}
		ports = ports.Or(others)
	}
	for name, port := range l.cfg.SetPorts {
		if err := ports.Set(name, port); err != nil {
			return ports, err
		}
	}
	return ports, ports.Check()
}

// changed are those of the specs whose component does not run, or runs otherwise.
func (s *State) changed(specs []spec) []spec {
	return slices.DeleteFunc(slices.Clone(specs), func(spec spec) bool {
		p := s.process(spec.name)
		return p != nil && p.alive() && p.Fingerprint == spec.fingerprint
	})
}

// retire stops the processes that should not run as they do: those that have changed,
// those that have no place in the lab any more, and those of this lab that its state
// does not have.
func (l *Lab) retire(ctx context.Context, state *State, changed, specs []spec) error {
	is := func(name string) func(spec) bool { return func(s spec) bool { return s.name == name } }
	out := l.strays(state.Processes)
	for _, p := range out {
		l.cfg.Progress(fmt.Sprintf("ending %s (process %d), left behind by an earlier run", p.Name, p.PID))
	}
	for _, p := range state.Processes {
		isChanged, isWanted := slices.ContainsFunc(changed, is(p.Name)), slices.ContainsFunc(specs, is(p.Name))
		switch {
		case isWanted && !isChanged:
			continue
		case p.alive() && !isWanted:
			l.cfg.Progress(p.Name + " is not wanted any more: ending it")
		case p.alive():
			l.cfg.Progress(p.Name + " has changed: replacing it")
		case isChanged && len(changed) < len(specs):
			l.cfg.Progress(p.Name + " has ended: starting it again")
		}
		out = append(out, p)
	}
	stopping, cancel := interrupt.Cleanup(ctx, stopWithin)
	defer cancel()
	return l.stopAll(stopping, state, out)
}

func (l *Lab) roomOnDisk() error {
	usage, err := disk.Usage(l.layout.dir)
	if err != nil {
		return nil // not knowing is no reason not to try
	}
	if usage.Free < minDisk {
		return fmt.Errorf("only %d MB are free on the disk of %s; the lab needs %d MB. Free some, or choose another folder with --dir",
			usage.Free>>20, l.layout.dir, minDisk>>20)
	}
	return nil
}
