// Package local brings the lab up on this machine, as processes.
//
// A lab lives in a folder (see layout). Its processes do not depend on the
// program that started them: `up` writes down what it starts and may end, be
// killed or be run again; whatever it finds running and unchanged it keeps, what
// has changed it replaces, and what nobody remembers it ends.
package local

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/disk"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/filelock"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// minDisk is what must be free for the backends to store a day of the lab's
// data (measured: about 20 MB for 10,000 requests) with room to compact.
const minDisk = 1 << 30

// Config says which lab, and from what.
type Config struct {
	// Root is the checkout, with config/ and services/ in it.
	Root string
	// Dir is the lab's folder, made when it is not there.
	Dir string
	// Ports are the ports to use; the zero value means those that the lab in Dir
	// had last, or else the defaults.
	Ports target.Ports
	// Faults lets requests ask for a slow or failing query.
	Faults bool
	// Retention is how long the databases keep data; a signal without a period is
	// kept for [retention.Least].
	Retention retention.Periods
	// Programs finds the programs of the stack. It may take long, and shows its
	// own progress.
	Programs func(context.Context) (map[string]Program, error)
	// Progress is told, a line at a time, what happens. It may be nil.
	Progress func(line string)
}

// Lab is the lab in one folder.
type Lab struct {
	cfg    Config
	layout layout
}

// Open returns the lab in cfg.Dir, whether it runs or not. It does nothing yet.
func Open(cfg Config) *Lab {
	told := cfg.Progress
	var mu sync.Mutex // components become ready side by side
	cfg.Progress = func(line string) {
		mu.Lock()
		defer mu.Unlock()
		if told != nil {
			told(line)
		}
	}
	cfg.Retention = cfg.Retention.Or(retention.Least)
	return &Lab{cfg: cfg, layout: layout{dir: cfg.Dir}}
}

// State returns what runs, as written down; ErrNotUp when nothing does.
func (l *Lab) State() (*State, error) {
	s, err := readState(l.layout.state())
	if err == nil && len(s.Processes) == 0 { // the last `up` failed
		return nil, ErrNotUp
	}
	return s, err
}

// lock keeps a second `lab` from changing the same lab at the same time. It
// waits for the other one, and says so.
func (l *Lab) lock(ctx context.Context) (unlock func(), err error) {
	return filelock.Acquire(ctx, l.layout.lock(), func() { l.cfg.Progress(filelock.Waiting("the lab in " + l.layout.dir)) })
}

// Up brings the lab up and returns once every component is ready. It returns
// the names of the components that it had to start: none when the lab was
// running, and unchanged. On failure or when ctx ends it stops what it started.
func (l *Lab) Up(ctx context.Context) (state *State, started []string, err error) {
	unlock, err := l.lock(ctx)
	if err != nil {
		return nil, nil, err
	}
	defer unlock()
	if err := l.roomOnDisk(); err != nil {
		return nil, nil, err
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
	changed, err := l.retire(state, specs)
	if err != nil {
		return nil, nil, err
	}
	if err := installServices(changed); err != nil {
		return nil, nil, err
	}
	if len(changed) == 0 {
		return state, nil, state.write(l.layout.state())
	}
	if err := checkPorts(changed); err != nil {
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
	ports := l.cfg.Ports
	if ports == (target.Ports{}) {
		ports = state.Ports
	}
	if ports == (target.Ports{}) {
		ports = target.DefaultPorts()
	}
	if err := ports.Check(); err != nil {
		return nil, err
	}
	if err := l.cfg.Retention.Check(); err != nil {
		return nil, err
	}
	programs, err := l.cfg.Programs(ctx)
	if err != nil {
		return nil, err
	}
	if err := l.layout.create(l.cfg.Root); err != nil {
		return nil, err
	}
	services, err := l.buildServices(ctx)
	if err != nil {
		return nil, err
	}
	all := map[string]Program{target.Frontend: services[target.Frontend], target.Backend: services[target.Backend]}
	maps.Copy(all, programs)
	state.Ports, state.Addresses = ports, ports.Local()
	if _, ok := all[target.Grafana]; !ok {
		state.Addresses.Grafana = ""
	}
	return plan{
		layout: l.layout, ports: ports, addresses: state.Addresses, programs: all,
		faults: l.cfg.Faults, retention: l.cfg.Retention,
	}.specs()
}

// retire stops what should not run as it does: processes that have changed, that
// have no place in the lab any more, or that nobody remembers. It returns the
// specs that are to be started.
func (l *Lab) retire(state *State, specs []spec) (changed []spec, err error) {
	for _, p := range strays(l.layout.dir, state.Processes) {
		l.cfg.Progress(fmt.Sprintf("ending %s (process %d), left behind by an earlier run", p.Name, p.PID))
		if err := p.stop(10 * time.Second); err != nil {
			return nil, err
		}
	}
	keep := map[string]bool{}
	for _, s := range specs {
		p := state.process(s.name)
		if p != nil && p.alive() && p.Fingerprint == s.fingerprint {
			keep[s.name] = true
		} else {
			changed = append(changed, s)
		}
	}
	var out []Process
	for _, p := range state.Processes {
		if keep[p.Name] {
			continue
		}
		if p.alive() {
			l.cfg.Progress(p.Name + " has changed: replacing it")
		} else if slices.ContainsFunc(changed, func(s spec) bool { return s.name == p.Name }) && len(keep) > 0 {
			l.cfg.Progress(p.Name + " has ended: starting it again")
		}
		out = append(out, p)
	}
	return changed, l.stopAll(state, out)
}

// stopAll stops the processes in the reverse of the order in which they start
// and forgets them.
func (l *Lab) stopAll(state *State, processes []Process) error {
	var errs []error
	for _, name := range slices.Backward(order) {
		for _, p := range processes {
			if p.Name != name {
				continue
			}
			if err := p.stop(graceOf(name)); err != nil {
				errs = append(errs, err)
				continue
			}
			state.remove(name)
			errs = append(errs, state.write(l.layout.state()))
		}
	}
	return errors.Join(errs...)
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
