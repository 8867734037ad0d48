package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/ground"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/local"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/stack"
)

// upFlags are the flags of the commands that bring a lab up.
type upFlags struct {
	stack     stack.Mode
	cache     string
	ports     []string
	freePorts bool
	noFaults  bool
	retention time.Duration
}

func (f *upFlags) register(cmd *cobra.Command) {
	f.stack = stack.Auto
	flags := cmd.Flags()
	flags.Var(&f.stack, "stack", "where Loki, Tempo, Mimir and Alloy come from: auto, path, images or source")
	flags.StringVar(&f.cache, "cache", "", "where fetched and compiled programs are kept (default lgtm-lab in the user's cache directory)")
	flags.StringArrayVar(&f.ports, "port", nil, "use another port, `NAME=NUMBER`; may be repeated. Names: frontend, backend, grafana, loki, loki_grpc, tempo, tempo_grpc, tempo_otlp, mimir, mimir_grpc, alloy, otlp_grpc, otlp_http")
	flags.BoolVar(&f.freePorts, "free-ports", false, "use ports that are free now instead of the usual ones")
	flags.BoolVar(&f.noFaults, "no-faults", false, "the lab does not let requests ask for slow or failing queries")
	flags.DurationVar(&f.retention, "retention", 24*time.Hour, "how long Loki, Tempo and Mimir keep data, at least 24h")
}

// config makes a lab's configuration of the flags.
func (f *upFlags) config(e *env, dir string) (local.Config, error) {
	root, err := e.root()
	if err != nil {
		return local.Config{}, err
	}
	cfg := local.Config{
		Root: root, Dir: dir, Faults: !f.noFaults, Retention: f.retention,
		Programs: e.programs(root, f.cache, f.stack), Progress: e.say,
	}
	if f.freePorts {
		if cfg.Ports, err = ground.FreePorts(); err != nil {
			return cfg, err
		}
	}
	if len(f.ports) > 0 && !f.freePorts {
		cfg.Ports = ground.DefaultPorts()
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

func upCommand(e *env) *cobra.Command {
	var flags upFlags
	var detach bool
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Bring the lab up on this machine",
		Long: `up builds the two services, gets the programs of the stack, starts everything and
returns to you once every component is ready. It stays in the foreground: Ctrl-C
stops the lab in order. With --detach the lab runs on by itself, until ` + "`lab down`" + `.

Run it again after an edit: only what has changed is rebuilt and replaced. A lab
that runs already is found, and so is one that a crashed run has left behind.

The programs come from where it is quickest (--stack auto): from PATH, from an
earlier run, out of the images that config/images.json pins (Linux, a registry
reachable), or compiled from source, which takes about half an hour on two cores
and happens once.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return up(cmd.Context(), e, flags, detach)
		},
	}
	flags.register(cmd)
	cmd.Flags().BoolVarP(&detach, "detach", "d", false, "leave the lab running and return")
	return cmd
}

func up(ctx context.Context, e *env, flags upFlags, detach bool) error {
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
	fmt.Fprint(e.stdout, welcome(headline, state.Ground))
	if detach {
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
func welcome(headline string, g ground.Ground) string {
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
