package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/local"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/verify"
)

// localSite is the lab as processes on this machine.
type localSite struct{ e *env }

// lab opens the lab in its folder, as it is.
func (s localSite) lab() (*local.Lab, error) {
	dir, err := s.e.labDir()
	if err != nil {
		return nil, err
	}
	return local.Open(local.Config{Dir: dir, Progress: s.e.say}), nil
}

// addresses are where the running lab listens.
func (s localSite) addresses() (target.Addresses, error) {
	lab, err := s.lab()
	if err != nil {
		return target.Addresses{}, err
	}
	state, err := lab.State()
	if err != nil {
		return target.Addresses{}, s.notUp(err)
	}
	return state.Addresses, nil
}

// notUp turns "not up" into a failure that has been told.
func (s localSite) notUp(err error) error {
	if errors.Is(err, local.ErrNotUp) {
		s.e.say("lab: " + err.Error())
		return errFailed
	}
	return err
}

func (s localSite) down(ctx context.Context) error {
	lab, err := s.lab()
	if err != nil {
		return err
	}
	stopped, err := lab.Down(ctx)
	if errors.Is(err, local.ErrNotUp) {
		fmt.Fprintln(s.e.stdout, "Nothing to stop: the lab is not up.")
		return nil
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(s.e.stdout, "Stopped: %s. The data is kept; `go run ./ci/lab reset` deletes it.\n", strings.Join(stopped, ", "))
	return nil
}

func (s localSite) reset(ctx context.Context) error {
	lab, err := s.lab()
	if err != nil {
		return err
	}
	freed, err := lab.Reset(ctx)
	if err != nil {
		return err
	}
	fmt.Fprintf(s.e.stdout, "The lab's data is deleted, %.1f MB.\n", float64(freed)/(1<<20))
	return nil
}

func (s localSite) status(ctx context.Context, asJSON bool) error {
	lab, err := s.lab()
	if err != nil {
		return err
	}
	state, components, err := lab.Status(ctx)
	if err != nil {
		return s.notUp(err)
	}
	if asJSON {
		err = writeJSON(s.e.stdout, map[string]any{"started": state.Started, "components": components})
	} else {
		err = statusTable(s.e.stdout, state, components)
	}
	if err != nil {
		return err
	}
	for _, c := range components {
		if c.State != "ready" {
			return errFailed
		}
	}
	return nil
}

func (s localSite) logs(ctx context.Context, w io.Writer, name string, follow bool) error {
	lab, err := s.lab()
	if err != nil {
		return err
	}
	file, err := lab.LogFile(name)
	if err != nil {
		return usageError{err}
	}
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s has no log yet: %w", name, err)
	}
	defer f.Close()
	for {
		if _, err := io.Copy(w, f); err != nil || !follow {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s localSite) traffic(ctx context.Context, o trafficRun) (traffic.Report, error) {
	if o.Frontend == "" {
		g, err := s.addresses()
		if err != nil {
			return traffic.Report{}, err
		}
		o.Frontend = g.Frontend
	}
	return traffic.Run(ctx, o.Options)
}

func (s localSite) verify(ctx context.Context, o verifyRun) (report.Report, error) {
	if o.Addresses.Frontend == "" {
		g, err := s.addresses()
		if err != nil {
			return report.Report{}, err
		}
		o.Addresses = g
	}
	return verify.Run(ctx, o.Options)
}

func (s localSite) endpoints(ctx context.Context, o endpointsRun) (report.Report, error) {
	if o.frontend == "" || o.backend == "" {
		g, err := s.addresses()
		if err != nil {
			return report.Report{}, err
		}
		o.frontend, o.backend = cmp.Or(o.frontend, g.Frontend), cmp.Or(o.backend, g.Backend)
	}
	return askEndpoints(ctx, o), nil
}

// askEndpoints asks every endpoint of both services, from here.
func askEndpoints(ctx context.Context, o endpointsRun) report.Report {
	r := report.Report{Name: "test-endpoints", Started: time.Now(),
		Environment: map[string]string{"frontend": o.frontend, "backend": o.backend}}
	r.Add(endpoints.Run(ctx, endpoints.Target{Frontend: o.frontend, Backend: o.backend})...)
	r.Duration = time.Since(r.Started)
	return r
}

func (s localSite) trace(ctx context.Context, w io.Writer, id string) error {
	g, err := s.addresses()
	if err != nil {
		return err
	}
	return writeTrace(ctx, w, g, id)
}

func (s localSite) lastRun() (string, error) {
	dir, err := s.e.labDir()
	return filepath.Join(dir, "last-traffic.json"), err
}

// own brings a lab up in a temporary folder. When it cannot, it leaves the
// folder with the logs and says where.
func (s localSite) own(ctx context.Context, flags upFlags) (down func(), lab site, err error) {
	dir, err := os.MkdirTemp("", "lgtm-lab-")
	if err != nil {
		return nil, nil, err
	}
	if dir, err = filepath.EvalSymlinks(dir); err != nil {
		return nil, nil, err
	}
	flags.freePorts = true
	cfg, err := flags.config(s.e, dir)
	if err != nil {
		_ = os.RemoveAll(dir)
		return nil, nil, err
	}
	begin := time.Now()
	mine := local.Open(cfg)
	state, started, err := mine.Up(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("%w\n(the lab's folder is kept: %s)", err, dir)
	}
	s.e.say(fmt.Sprintf("· a lab of its own is up: %d components in %.1f s", len(started), time.Since(begin).Seconds()))
	return func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopWithin)
		defer cancel()
		if _, err := mine.Down(stopCtx); err != nil {
			s.e.say("lab: taking the lab down: " + err.Error())
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			s.e.say("lab: " + err.Error())
		}
	}, ownLocal{s, state.Addresses}, nil
}

// ownLocal is a lab of a command's own, which listens where nobody else knows.
type ownLocal struct {
	localSite
	at target.Addresses
}

func (s ownLocal) verify(ctx context.Context, o verifyRun) (report.Report, error) {
	o.Addresses = s.at
	return s.localSite.verify(ctx, o)
}
