package local

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"time"

	psnet "github.com/shirou/gopsutil/v4/net"
	"github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// readyWithin bounds the wait for one component. The slowest was ready in 17 s
// with the settings that its makers choose; with the lab's it is seconds.
const readyWithin = 90 * time.Second

// ComponentError says that a component did not become ready, and why.
type ComponentError struct {
	// Name is the component's.
	Name string
	// Reason is what was seen: it ended, or did not answer.
	Reason string
	// Log is the file with its output; Tail are its last lines.
	Log  string
	Tail []string
}

func (e *ComponentError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s; its log is %s", e.Name, e.Reason, e.Log)
	if len(e.Tail) > 0 {
		b.WriteString(", which ends:\n")
		for _, line := range e.Tail {
			b.WriteString("    " + line + "\n")
		}
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// startAll starts the components: first the stack, all at once, then the
// services, whose first telemetry then finds a receiver. On failure it stops
// what it has started.
func (l *Lab) startAll(ctx context.Context, state *State, specs []spec) (err error) {
	var mine []Process
	defer func() {
		if err != nil {
			if stopErr := l.stopAll(state, mine); stopErr != nil {
				err = fmt.Errorf("%w\nand then: %w", err, stopErr)
			}
		}
	}()
	var stack, services []spec
	for _, s := range specs {
		if s.name == target.Backend || s.name == target.Frontend {
			services = append(services, s)
		} else {
			stack = append(stack, s)
		}
	}
	for _, wave := range [][]spec{stack, services} {
		begin := time.Now()
		waiting, ctx := errgroup.WithContext(ctx)
		for _, s := range wave {
			p, cmd, err := l.startOne(s)
			if err != nil {
				return err
			}
			mine = append(mine, p)
			state.set(p)
			if err := state.write(l.layout.state()); err != nil {
				return err
			}
			waiting.Go(func() error {
				if err := waitReady(ctx, p, cmd); err != nil {
					return err
				}
				l.cfg.Progress(fmt.Sprintf("%-9s ready in %.1f s", p.Name, time.Since(begin).Seconds()))
				return nil
			})
		}
		if err := waiting.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// startOne starts the component with a log of its own; the log of the time
// before is kept as NAME.log.old.
func (l *Lab) startOne(s spec) (Process, *exec.Cmd, error) {
	log := l.layout.log(s.name)
	if _, err := os.Stat(log); err == nil {
		_ = os.Rename(log, log+".old")
	}
	return start(s, log)
}

// waitReady waits until the component answers, or has ended, or time is up.
func waitReady(ctx context.Context, p Process, cmd *exec.Cmd) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // also keeps it from staying a zombie
	client := &http.Client{Timeout: 2 * time.Second}
	deadline := time.NewTimer(readyWithin)
	defer deadline.Stop()
	for {
		ok, answer := probe(ctx, client, p.Ready)
		if ok {
			return nil
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-ended:
			reason := "ended while it started"
			if err != nil {
				reason += " (" + err.Error() + ")"
			}
			return componentError(p, reason)
		case <-deadline.C:
			return componentError(p, fmt.Sprintf("was not ready after %v (%s: %s)", readyWithin, p.Ready, answer))
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// probe asks a readiness URL once.
func probe(ctx context.Context, client *http.Client, url string) (ok bool, answer string) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false, err.Error()
	}
	resp, err := client.Do(req)
	if err != nil {
		return false, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 200))
	return resp.StatusCode == http.StatusOK, resp.Status + " " + strings.TrimSpace(string(body))
}

func componentError(p Process, reason string) *ComponentError {
	return &ComponentError{Name: p.Name, Reason: reason, Log: p.Log, Tail: tail.File(p.Log, 8)}
}

// checkPorts fails when something else listens on a port that is needed, and
// names it where the operating system tells.
func checkPorts(specs []spec) error {
	var busy []string
	deadline := time.Now().Add(time.Second)
	for _, s := range specs {
		for _, port := range s.ports {
			if isFree(port, deadline) {
				continue
			}
			busy = append(busy, fmt.Sprintf("port %d, which %s needs, is in use%s", port, s.name, holder(port)))
		}
	}
	if len(busy) == 0 {
		return nil
	}
	return fmt.Errorf("%s\nend what holds it, or give the lab other ports: --free-ports, or --port NAME=NUMBER (see `lab up --help`)",
		strings.Join(busy, "\n"))
}

// isFree reports whether the port can be listened on, by the deadline. A program
// that was just ended is gone for the operating system a moment before its
// sockets are.
func isFree(port int, deadline time.Time) bool {
	for ; ; time.Sleep(20 * time.Millisecond) {
		l, err := net.Listen("tcp", target.Loopback(port))
		if err == nil {
			return l.Close() == nil
		}
		if time.Now().After(deadline) {
			return false
		}
	}
}

// holder says which program listens on the port, " by NAME (process N)".
func holder(port int) string {
	conns, err := psnet.Connections("tcp")
	if err != nil {
		return ""
	}
	for _, c := range conns {
		if c.Status != "LISTEN" || int(c.Laddr.Port) != port || c.Pid == 0 {
			continue
		}
		if p, err := process.NewProcess(c.Pid); err == nil {
			if name, err := p.Name(); err == nil {
				return fmt.Sprintf(" by %s (process %d)", name, c.Pid)
			}
		}
	}
	return ""
}

// graceOf is how long a component may take to stop when asked. A service drains for
// up to 20 s and then flushes its telemetry. Tempo's parts that hold data take 5 s,
// for most of which its generator of metrics sleeps; its query frontend never ends
// when it was asked something within the last half minute
// (https://github.com/grafana/tempo/pull/7967), and is not worth waiting for.
func graceOf(name string) time.Duration {
	switch name {
	case target.Backend, target.Frontend:
		return 30 * time.Second
	case target.Tempo:
		return 8 * time.Second
	}
	return 15 * time.Second
}
