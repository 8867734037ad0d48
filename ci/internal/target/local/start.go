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

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/interrupt"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/tail"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
)

// readyWithin bounds the wait for one component. With default
// settings the slowest was ready in 17 s; with the lab's each takes a few seconds.
const readyWithin = 90 * time.Second

// ComponentError says that a component did not become ready, and why.
type ComponentError struct {
	// Name is the component's.
	Name string
	// Reason says what the component did: it ended, or did not answer.
	Reason string
	// Log is the file with the component's output; Tail are the last lines of it.
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
// what it started.
func (l *Lab) startAll(ctx context.Context, state *State, specs []spec) (err error) {
	var mine []Process
	defer func() {
		if err != nil {
			stopping, cancel := interrupt.Cleanup(ctx, stopWithin)
			defer cancel()
			if stopErr := l.stopAll(stopping, state, mine); stopErr != nil {
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
			if err := state.write(l.folder); err != nil {
				return err
			}
			waiting.Go(func() error {
				if err := waitReady(ctx, p, cmd, s.receives); err != nil {
					return err
				}
				l.cfg.Progress(fmt.Sprintf("%-10s ready in %.1f s", p.Name, time.Since(begin).Seconds()))
				return nil
			})
		}
		if err := waiting.Wait(); err != nil {
			return err
		}
	}
	return nil
}

// startOne starts the component with a log of its own, and no temporary files; the log
// of the time before is kept as NAME.log.old.
func (l *Lab) startOne(s spec) (Process, *exec.Cmd, error) {
	temp := l.layout.temp(s.name)
	if err := l.folder.Remove(l.layout.relative(temp)); err != nil {
		return Process{}, nil, err
	}
	if err := os.Mkdir(temp, 0o755); err != nil {
		return Process{}, nil, err
	}
	if err := l.checkFiles(s.name); err != nil {
		return Process{}, nil, err
	}
	log := l.layout.log(s.name)
	if _, err := os.Stat(log); err == nil {
		_ = os.Rename(log, log+".old")
	}
	return start(s, log)
}

// waitReady waits until the component answers and accepts connections at its receivers'
// ports, or has ended, or time is up.
func waitReady(ctx context.Context, p Process, cmd *exec.Cmd, receives []int) error {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }() // also keeps it from staying a zombie
	deadline := time.NewTimer(readyWithin)
	defer deadline.Stop()
	for {
		ok, answer := p.probe(ctx, probeWithin)
		if ok {
			if answer = notListening(ctx, receives); answer == "" {
				return nil
			}
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

// probeWithin bounds one question for readiness.
const probeWithin = 2 * time.Second

// notListening says which of the ports accepts no connection; "" when all do.
func notListening(ctx context.Context, ports []int) string {
	for _, port := range ports {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", target.Loopback(port))
		if err != nil {
			return err.Error()
		}
		conn.Close()
	}
	return ""
}

// probe asks the process once whether it is ready.
func (p Process) probe(ctx context.Context, within time.Duration) (ok bool, answer string) {
	client, err := p.client(within)
	if err != nil {
		return false, err.Error()
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.Ready, nil)
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
