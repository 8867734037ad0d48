// Package verify proves that telemetry flows. It makes requests, and checks that each
// becomes one joined trace, its log lines and a counted metric; that nothing is lost on
// the way; how long each signal takes; and that every panel, link and rule shows it.
//
// It talks to the services, and to Loki, Tempo and Mimir, through their HTTP APIs as any
// client would. So it is the same on every target.
package verify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/retention"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/sampling"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/config/grafana"
	"github.com/lgtm-lab/lgtm-lab/config/mimir/rules"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// Options say what to verify.
type Options struct {
	// Addresses says where the lab listens.
	Addresses target.Addresses
	// Profile is the traffic that completeness is proved with.
	Profile traffic.Profile
	// NoFaults says that the lab does not cause faults on request: the checks of faults
	// are skipped. The profile must then have no faults.
	NoFaults bool
	// Run is the report of traffic that was sent before. When set, completeness
	// is proved for it, and verify sends no traffic of its own.
	Run *traffic.Report
	// Kubernetes says that the lab runs in a cluster. Then verify also checks that the
	// nodes measure the pods, and that all telemetry names its pod.
	Kubernetes bool
	// Retention is how long each signal should be kept; 0 where nobody has asked for a
	// period.
	Retention retention.Periods
	// Progress gets a line for each step that begins. It may be nil.
	Progress func(line string)
}

// committed are the dashboards, rules and data sources of the repository.
type committed struct {
	dashboards []dashboards.Dashboard
	groups     []rules.Group
	sources    []grafana.Datasource
}

// readCommitted reads the committed files, which are embedded in this program.
func readCommitted() (c committed, err error) {
	var errs [3]error
	c.dashboards, errs[0] = dashboards.All()
	c.groups, errs[1] = rules.All()
	c.sources, errs[2] = grafana.Datasources()
	return c, errors.Join(errs[:]...)
}

// verifier is one run.
type verifier struct {
	Options
	committed
	timing timing
	// send and endpoints are traffic.Run and endpoints.Run; tests have others.
	send      func(context.Context, traffic.Options) (traffic.Report, error)
	endpoints func(context.Context, endpoints.Target) []report.Check

	http  *http.Client
	loki  query.Loki
	tempo query.Tempo
	mimir query.Mimir

	// kept is which traces the lab keeps, as its Alloy says.
	kept sampling.Traces

	// seen are the traces of the run with that prefix, as the searches have shown them.
	seen       []sighting
	seenPrefix string
	// stored are the traces that an account has found.
	stored map[string]bool

	started time.Time
	// sample is the id of a user that exists.
	sample int64
	report report.Report
}

// Run verifies the lab and reports every check. It returns an error only when
// there is nothing to report: the lab does not answer, or ctx has ended.
func Run(ctx context.Context, o Options) (report.Report, error) {
	c, err := readCommitted()
	if err != nil {
		return report.Report{}, err
	}
	v := &verifier{Options: o, committed: c, timing: usual(), send: traffic.Run, endpoints: endpoints.Run}
	return v.run(ctx)
}

func (v *verifier) run(ctx context.Context) (report.Report, error) {
	if v.Progress == nil {
		v.Progress = func(string) {}
	}
	defer v.connect()()
	v.started = time.Now()
	v.report = report.Report{Name: "verify", Started: v.started, Environment: map[string]string{
		"target": v.Addresses.Name, "frontend": v.Addresses.Frontend,
	}}
	if err := v.reachable(ctx); err != nil {
		return v.report, err
	}
	var err error
	if v.kept, err = sampling.Read(ctx, v.http, v.Addresses.Alloy); err != nil {
		return v.report, err
	}
	if !v.kept.All() {
		v.Progress(v.kept.String())
		v.timing = v.timing.after(v.kept.Wait)
	}
	err = v.all(ctx)
	v.report.Duration = time.Since(v.started)
	return v.report, err
}

// connect makes the clients. The function that it returns closes their connections.
func (v *verifier) connect() (close func()) {
	transport := v.Addresses.Transport()
	transport.MaxIdleConnsPerHost = 16
	v.http = &http.Client{Transport: transport, Timeout: v.timing.answer}
	v.loki = query.Loki{URL: v.Addresses.Loki, HTTP: v.http}
	v.tempo = query.Tempo{URL: v.Addresses.Tempo, HTTP: v.http}
	v.mimir = query.Mimir{URL: v.Addresses.Mimir, HTTP: v.http}
	return transport.CloseIdleConnections
}

// all runs the checks. The order matters: completeness compares counters, so no
// other request may be counted between the traffic and the comparison.
func (v *verifier) all(ctx context.Context) error {
	if !v.hasServices() {
		return v.stackAlone(ctx)
	}
	before, err := v.begin(ctx)
	if err != nil {
		return err
	}
	made := v.readGenerated(ctx)
	if v.Run != nil {
		if err := v.completeness(ctx, before); err != nil {
			return err
		}
		_ = v.settled(ctx) // so that no earlier request is taken for the one request
	}
	v.Progress("one request, followed through the stack")
	fresh := v.startProbe(ctx)
	defer fresh.done.Wait()
	v.joinedTrace(ctx, fresh)
	v.correlatedLogs(ctx, fresh)
	if v.NoFaults {
		v.report.Add(report.Check{Group: "trace", Name: "faults on request", Status: report.Skip, Detail: "the lab was brought up without faults"})
	} else {
		v.faults(ctx)
	}
	if v.Run == nil {
		if err := v.completeness(ctx, nil); err != nil {
			return err
		}
	}
	v.Progress("the services' own metrics")
	v.ownMetrics(ctx)
	if v.Kubernetes {
		v.Progress("what the cluster says of the pods")
		v.kubernetes(ctx, fresh)
	}
	v.Progress("every endpoint of both services")
	v.report.Add(v.endpoints(ctx, endpoints.Target{Frontend: v.Addresses.Frontend, Backend: v.Addresses.Backend, HTTP: v.http})...)
	v.Progress("service graph and span metrics (Tempo takes up to 40 s to make the first)")
	v.generated(ctx, made)
	v.exemplars(ctx)
	v.freshness(fresh)
	arrived := time.Now()
	v.up(ctx)
	v.Progress("every panel of the dashboards")
	v.panels(ctx)
	v.Progress("rules and alerts, links, Grafana")
	v.rules(ctx)
	v.links(ctx, fresh)
	v.grafana(ctx)
	v.retention(ctx)
	v.nothingLost(ctx, before, arrived)
	return context.Cause(ctx)
}

// reachable asks every part whether it is ready. The error names those that are not.
func (v *verifier) reachable(ctx context.Context) error {
	parts := []struct{ name, path string }{
		{target.Frontend, "/ready"}, {target.Backend, "/ready"}, {target.Alloy, "/-/ready"},
		{target.Loki, "/ready"}, {target.Tempo, "/ready"}, {target.Mimir, "/ready"},
	}
	errs := make([]error, len(parts))
	var all sync.WaitGroup
	for i, part := range parts {
		if v.Addresses.URL(part.name) == "" && !v.hasServices() {
			continue // one of the services
		}
		all.Go(func() {
			if err := v.ready(ctx, v.Addresses.URL(part.name)+part.path); err != nil {
				errs[i] = fmt.Errorf("%s is not ready: %w", part.name, err)
			}
		})
	}
	all.Wait()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(errs...)
}

func (v *verifier) ready(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, v.timing.ready, fmt.Errorf("no answer within %v", v.timing.ready))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := v.http.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answered %s", url, resp.Status)
	}
	return nil
}

// outcome is what a check returns: what it measured, and an error when that is
// not what was expected.
type outcome struct {
	measured string
	err      error
}

// check runs one check and adds it to the report.
func (v *verifier) check(group, name, expected string, run func() (measured string, err error)) {
	begin := time.Now()
	measured, err := run()
	v.add(group, name, expected, outcome{measured, err}, time.Since(begin))
}

func (v *verifier) add(group, name, expected string, o outcome, took time.Duration) {
	c := report.Check{Group: group, Name: name, Expected: expected, Measured: o.measured, Status: report.Pass, Duration: took}
	if why, ok := errors.AsType[skipReason](o.err); ok {
		c.Status, c.Detail = report.Skip, why.Error()
	} else if o.err != nil {
		c.Status, c.Detail = report.Fail, o.err.Error()
		if c.Measured == "" {
			c.Measured = "–"
		}
	}
	v.report.Add(c)
}
