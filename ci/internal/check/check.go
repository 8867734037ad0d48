// Package check runs acceptance cases against a lab that is up: it starts the case's
// application, or sends the case's own telemetry, drives the application, and asks the
// stores until each answer is as expected or the time is up.
//
// Each case has a run id of its own, so that cases run side by side and do not see each
// other's telemetry.
package check

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/compose"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/k3d"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target/kind/cluster"
)

// Options say how cases run.
type Options struct {
	// At are the addresses of the lab.
	At target.Addresses
	// App is the base URL of an application that runs already, for cases that start none;
	// "" when there is none.
	App string
	// RunID is the run id of that application's telemetry; "" when it has none.
	RunID string
	// Parallel is the number of cases that run at a time; 0 is [DefaultParallel].
	Parallel int
	// Timeout is how long the application may take to be ready, and, after the input, how
	// long an expectation may take to hold; 0 is [DefaultTimeout].
	Timeout time.Duration
	// AbsentTimeout is how long an expectation of absence is asked; 0 is
	// [DefaultAbsentTimeout].
	AbsentTimeout time.Duration
	// Evidence is a folder for the output of the applications; "" keeps none.
	Evidence string
	// Judge decides; the zero value asks the lab's stores.
	Judge Judge
	// Quality answers questions about the score and the findings; nil when the lab cannot.
	Quality Quality
	// Arrived tells whether anything of a run has arrived; nil when that is not to be asked.
	Arrived func(context.Context, judge.Scope) (bool, error)
	// Record writes down what the case's run has sent, in the place of asking whether the
	// expectations hold, and says in a few words what it wrote. It may be nil.
	Record func(context.Context, cases.Case, judge.Scope) (wrote string, err error)
	// Nodes says what the nodes of a cluster for the cases with a k3d fixture are made from.
	Nodes func(context.Context) (cluster.Config, error)
	// Progress gets a sentence about each case that has ended, and about long work. It may be
	// nil.
	Progress func(text string)
}

// The defaults of [Options].
const (
	DefaultParallel      = 20
	DefaultTimeout       = 30 * time.Second
	DefaultAbsentTimeout = 5 * time.Second
)

// Judge asks the stores once for each expectation. It is an interface of functions for the
// sake of tests.
type Judge struct {
	Traces   func(context.Context, cases.TracesExpectation, judge.Scope) judge.Verdict
	Logs     func(context.Context, cases.LogsExpectation, judge.Scope) judge.Verdict
	Metrics  func(context.Context, cases.MetricsExpectation, judge.Scope) judge.Verdict
	Tree     func(context.Context, cases.TreeExpectation, judge.Scope) judge.Verdict
	Complete func(context.Context, cases.Complete, judge.Scope) judge.Verdict
}

// OfStores returns the judge that asks these stores.
func OfStores(s query.Stores) Judge {
	return Judge{
		Traces: func(ctx context.Context, e cases.TracesExpectation, scope judge.Scope) judge.Verdict {
			return judge.Traces(ctx, s, e, scope)
		},
		Logs: func(ctx context.Context, e cases.LogsExpectation, scope judge.Scope) judge.Verdict {
			return judge.Logs(ctx, s, e, scope)
		},
		Metrics: func(ctx context.Context, e cases.MetricsExpectation, scope judge.Scope) judge.Verdict {
			return judge.Metrics(ctx, s, e, scope)
		},
		Tree: func(ctx context.Context, e cases.TreeExpectation, scope judge.Scope) judge.Verdict {
			return judge.Tree(ctx, s, e, scope)
		},
		Complete: func(ctx context.Context, e cases.Complete, scope judge.Scope) judge.Verdict {
			return judge.Complete(ctx, s, e, scope)
		},
	}
}

// Quality answers what the score and the findings of a run are.
type Quality interface {
	// Score judges the Instrumentation Score of the run's services.
	Score(ctx context.Context, e cases.ScoreExpectation, scope judge.Scope) judge.Verdict
	// Findings judges the findings about the run's services.
	Findings(ctx context.Context, e cases.FindingsExpectation, scope judge.Scope) judge.Verdict
}

// Result is what a run of cases has shown.
type Result struct {
	Report report.Report
	// Places are where in the case files the report's checks come from, by the check's
	// index.
	Places []cases.Position
}

// Run runs the cases, several at a time. The result has the cases in their order. When ctx
// ends, Run stops what it has started and returns the cause.
func Run(ctx context.Context, all []cases.Case, o Options) (Result, error) {
	o.Parallel = cmp.Or(o.Parallel, DefaultParallel)
	o.Timeout = cmp.Or(o.Timeout, DefaultTimeout)
	o.AbsentTimeout = cmp.Or(o.AbsentTimeout, DefaultAbsentTimeout)
	began := time.Now()
	outcomes := make([]*outcome, len(all))
	var group errgroup.Group
	group.SetLimit(o.Parallel)
	stores := newTurns()
	gate := &compose.Gate{GRPC: hostOf(o.At.OTLPGRPC), HTTP: hostOf(o.At.OTLPHTTP)}
	defer gate.Close()
	kubernetes := &k3d.Host{Nodes: o.Nodes, Progress: o.Progress}
	defer kubernetes.Close()
	names := groupNames(all)
	for i, c := range all {
		group.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			r := newRunner(c, o)
			r.out.group, r.turns, r.openGate, r.cluster = names[i], stores, gate.Open, kubernetes
			r.run(ctx)
			outcomes[i] = r.out
			if o.Progress != nil && ctx.Err() == nil {
				o.Progress(r.out.sentence())
			}
			return nil
		})
	}
	_ = group.Wait()
	if ctx.Err() != nil {
		return Result{}, context.Cause(ctx)
	}
	result := Result{Report: report.Report{
		Name: "check", Started: began, Duration: time.Since(began),
		Environment: map[string]string{"target": o.At.Name},
	}}
	for _, out := range outcomes {
		result.Report.Add(out.checks...)
		result.Places = append(result.Places, out.places...)
	}
	return result, nil
}

// hostOf is the host and port of a base URL.
func hostOf(base string) string {
	_, host, _ := strings.Cut(base, "://")
	return host
}

// maxAsking bounds the questions that one store is asked at a time, by all cases together:
// more would wait in the store's own queue.
const maxAsking = 16

// turns are the questions' turns, for each store.
type turns struct{ traces, others *semaphore.Weighted }

func newTurns() turns {
	return turns{semaphore.NewWeighted(maxAsking), semaphore.NewWeighted(maxAsking)}
}

// of are the turns of a question with such rows.
func (t turns) of(rows string) *semaphore.Weighted {
	if rows == "traces" {
		return t.traces
	}
	return t.others
}

// groupNames are the cases' names; cases of the same name have their file's name, too.
func groupNames(all []cases.Case) []string {
	count := map[string]int{}
	for _, c := range all {
		count[c.Name]++
	}
	var names []string
	for _, c := range all {
		name := c.Name
		if count[name] > 1 {
			name += " (" + filepath.ToSlash(c.At.File) + ")"
		}
		names = append(names, name)
	}
	return names
}

// outcome collects the checks of one case.
type outcome struct {
	group  string
	checks []report.Check
	places []cases.Position
	took   time.Duration
}

func (o *outcome) add(at cases.Position, c report.Check) {
	c.Group = o.group
	o.checks, o.places = append(o.checks, c), append(o.places, at)
}

// sentence says how the case has ended.
func (o *outcome) sentence() string {
	failed, skipped := 0, 0
	for _, c := range o.checks {
		switch {
		case c.Failed():
			failed++
		case c.Status == report.Skip:
			skipped++
		}
	}
	word := "passed"
	switch {
	case failed > 0:
		word = fmt.Sprintf("failed (%d of %d checks)", failed, len(o.checks))
	case skipped == len(o.checks):
		word = "skipped: " + o.checks[0].Detail
	}
	return fmt.Sprintf("· %s: %s, %s", o.group, word, report.Elapsed(o.took))
}

// firstLine is the beginning of a text, for a table.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
