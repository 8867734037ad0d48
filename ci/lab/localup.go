package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
)

// config makes a local lab's configuration of the flags.
func (f *upFlags) config(e *env, dir string) (local.Config, error) {
	root, err := e.root()
	if err != nil {
		return local.Config{}, err
	}
	programs, err := e.stack(stack.Config{Root: root, Cache: f.cache, Mode: f.stack}, f.images)
	if err != nil {
		return local.Config{}, err
	}
	cfg := local.Config{
		Root: root, Dir: dir, Faults: !f.noFaults, Retention: f.retention.periods(),
		Programs: e.programs(programs), Progress: e.say,
	}
	if f.freePorts {
		if cfg.Ports, err = target.FreePorts(); err != nil {
			return cfg, err
		}
	}
	if len(f.ports) > 0 && !f.freePorts {
		cfg.Ports = target.DefaultPorts()
	}
	for _, assignment := range f.ports {
		name, number, _ := strings.Cut(assignment, "=")
		port, err := strconv.Atoi(number)
		if err != nil {
			return cfg, usageError{fmt.Errorf("--port %q: want NAME=NUMBER, such as loki=3101", assignment)}
		}
		if err := cfg.Ports.Set(name, port); err != nil {
			return cfg, usageError{err}
		}
	}
	return cfg, nil
}

func (s localSite) up(ctx context.Context, flags upFlags) error {
	e := s.e
	dir, err := e.labDir()
	if err != nil {
		return err
	}
	cfg, err := flags.config(e, dir)
	if err != nil {
		return err
	}
	lab := local.Open(cfg)
	begin := time.Now()
	state, started, err := lab.Up(ctx)
	if err != nil {
		return err
	}
	headline := fmt.Sprintf("The lab is up, %d components ready in %.1f s.", len(started), time.Since(begin).Seconds())
	if len(started) == 0 {
		headline = "The lab is up already, and unchanged."
	}
	fmt.Fprint(e.stdout, welcome(headline, state.Addresses))
	if flags.detach {
		fmt.Fprintln(e.stdout, "It runs in the background: `go run ./ci/lab down` stops it.")
		return nil
	}
	if owner := lab.Attach(); owner != 0 {
		fmt.Fprintf(e.stdout, "Another `lab up` (process %d) looks after it.\n", owner)
		return nil
	}
	fmt.Fprintln(e.stdout, "Ctrl-C stops it.")
	return e.watch(ctx, lab)
}

// welcome says where everything is, and what to do next.
func welcome(headline string, g target.Addresses) string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n", headline)
	row := func(name, url, what string) { fmt.Fprintf(&b, "  %-9s %-23s %s\n", name, url, what) }
	row("frontend", g.Frontend, "the page: users, and buttons that cause trouble")
	if g.Grafana != "" {
		row("grafana", g.Grafana, "logs, metrics and traces")
	} else {
		row("grafana", "not on this machine", "see above how to get it")
	}
	row("backend", g.Backend, "the users API, /openapi.yaml")
	row("alloy", g.Alloy, "the collector's own page")
	row("loki", g.Loki, "logs")
	row("tempo", g.Tempo, "traces")
	row("mimir", g.Mimir, "metrics")
	b.WriteString("\nNext, in another terminal:\n" +
		"  go run ./ci/lab traffic       send it 200 requests\n" +
		"  go run ./ci/lab verify        prove that all telemetry of a request arrives\n" +
		"  go run ./ci/lab trace ID      look at one trace, with its log lines\n\n")
	return b.String()
}

// stopWithin bounds the stopping of the whole lab; each component has its own,
// shorter bound.
const stopWithin = 2 * time.Minute

// watch looks after the lab until ctx ends, and then stops it; or until somebody
// else has taken it down. A component that ends is reported once.
func (e *env) watch(ctx context.Context, lab *local.Lab) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	told := map[int]bool{}
	line := newStatusLine(e.stderr)
	for {
		select {
		case <-ctx.Done():
			line.clear()
			e.say("stopping the lab")
			stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
			defer cancel()
			stopped, err := lab.Down(stopCtx)
			if err != nil && !errors.Is(err, local.ErrNotUp) {
				return err
			}
			e.say(fmt.Sprintf("stopped: %s. The data is kept; `go run ./ci/lab reset` deletes it.", strings.Join(stopped, ", ")))
			return nil
		case <-tick.C:
		}
		state, components, err := lab.Status(ctx)
		if errors.Is(err, local.ErrNotUp) {
			line.clear()
			e.say("the lab was taken down")
			return nil
		}
		if err != nil || ctx.Err() != nil {
			continue
		}
		for _, ended := range state.Ended() {
			p := state.PID(ended.Name)
			if !told[p] {
				told[p] = true
				line.clear()
				e.say(ended.Error() + "\nThe rest runs on. `go run ./ci/lab up` in another terminal starts it again; Ctrl-C stops the lab.")
			}
		}
		line.show(state, components)
	}
}
