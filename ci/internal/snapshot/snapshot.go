// Package snapshot draws the dashboards of a running lab as one static HTML page.
// People open it after a run, or on a machine that has no Grafana.
//
// [Take] runs every query of every panel, as package dashboards reads them out of
// the JSON that Grafana gets, and [Write] draws the answers. The page is one file
// without scripts, and loads nothing from elsewhere.
package snapshot

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/target"
	"github.com/lgtm-lab/lgtm-lab/dashboards"
)

// Options say what a snapshot shows.
type Options struct {
	// Addresses says where Loki, Tempo and Mimir listen.
	Addresses target.Addresses
	// Kubernetes says that the lab runs in a cluster. Elsewhere the panels that only
	// a cluster can fill are left out, and the page says so.
	Kubernetes bool
	// Commit is the commit that the lab was built from. The page shows it.
	Commit string
	// Dashboards are those to draw; nil for all of the lab.
	Dashboards []dashboards.Dashboard
	// Last is how far back to look. 0 is as far as each dashboard does, but no further
	// than Mimir has samples: a lab that has been up for minutes would otherwise fill
	// only the right edge of each plot.
	Last time.Duration
	// Variables are values for the dashboards' variables, by name.
	Variables map[string]string
	// Progress is called with a line before each dashboard. It may be nil.
	Progress func(line string)
}

// A Snapshot is what the dashboards showed at a time.
type Snapshot struct {
	Target     string
	Commit     string
	Taken      time.Time
	Took       time.Duration
	Dashboards []Dashboard
}

// Dashboard is one dashboard with what its panels showed.
type Dashboard struct {
	dashboards.Dashboard
	// TimeRange is the time range of the panels.
	TimeRange TimeRange
	// Values are those of its variables.
	Values map[string]string
	Panels []Panel
}

// Panel is one panel with what its queries answered.
type Panel struct {
	dashboards.Panel
	State   State
	Answers []Answer
}

// State says how a panel turned out.
type State string

// The states. A panel with a failed query is Failed and not Empty: the query may have
// had data.
const (
	// Shown has data.
	Shown State = "shown"
	// Quiet has no data, and its noValue text says that this is all right.
	Quiet State = "quiet"
	// Empty has no data, and should have some.
	Empty State = "empty"
	// Failed has a query that was not answered.
	Failed State = "failed"
	// Skipped needs a cluster, and this lab is not in one.
	Skipped State = "skipped"
)

const (
	// answerWithin is the time limit of one query.
	answerWithin = 30 * time.Second
	// atOnce limits the concurrent queries, so that the snapshot is not a load of its
	// own on the lab.
	atOnce = 4
)

// taker takes one snapshot.
type taker struct {
	Options
	mimir query.Mimir
	loki  query.Loki
	tempo query.Tempo
	now   time.Time
}

// Take runs the queries of all panels. A query that fails is part of the snapshot and
// not an error; see [Snapshot.Failures]. It returns an error when the
// dashboards cannot be read, or ctx has ended.
func Take(ctx context.Context, o Options) (Snapshot, error) { return take(ctx, o, time.Now()) }

// take is Take at a time.
func take(ctx context.Context, o Options, now time.Time) (Snapshot, error) {
	begin := time.Now()
	if o.Dashboards == nil {
		var err error
		if o.Dashboards, err = dashboards.All(); err != nil {
			return Snapshot{}, err
		}
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	transport := o.Addresses.Transport()
	transport.MaxIdleConnsPerHost = atOnce
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: answerWithin}
	t := &taker{
		Options: o, now: now,
		mimir: query.Mimir{URL: o.Addresses.Mimir, HTTP: client},
		loki:  query.Loki{URL: o.Addresses.Loki, HTTP: client},
		tempo: query.Tempo{URL: o.Addresses.Tempo, HTTP: client},
	}
	s := Snapshot{Target: o.Addresses.Name, Commit: o.Commit, Taken: t.now}
	for _, d := range o.Dashboards {
		o.Progress(fmt.Sprintf("%s: %d panels", cmp.Or(d.Title, d.UID), len(d.Panels)))
		s.Dashboards = append(s.Dashboards, t.dashboard(ctx, d))
		if ctx.Err() != nil {
			return Snapshot{}, context.Cause(ctx)
		}
	}
	s.Took = time.Since(begin)
	return s, nil
}

func (t *taker) dashboard(ctx context.Context, d dashboards.Dashboard) Dashboard {
	taken := Dashboard{
		Dashboard: d, TimeRange: t.timeRange(ctx, d), Values: d.Values(t.Variables), Panels: make([]Panel, len(d.Panels)),
	}
	var all errgroup.Group
	all.SetLimit(atOnce)
	for i, p := range d.Panels {
		taken.Panels[i] = Panel{Panel: p, State: Skipped}
		if p.InCluster() && !t.Kubernetes {
			continue
		}
		all.Go(func() error {
			taken.Panels[i] = t.panel(ctx, taken, p)
			return nil
		})
	}
	_ = all.Wait() // failures are in the panels
	return taken
}

// panel runs the queries of one panel, one after the other.
func (t *taker) panel(ctx context.Context, d Dashboard, p dashboards.Panel) Panel {
	taken := Panel{Panel: p}
	for _, q := range p.Queries {
		if q.Hidden {
			continue
		}
		begin := time.Now()
		a := t.ask(ctx, d, p, q)
		a.Took = time.Since(begin)
		taken.Answers = append(taken.Answers, a)
	}
	taken.State = taken.judge(t.Variables)
	return taken
}

// judge decides on the state of the panel. A panel without queries, such as a text, is
// shown. A panel that does not apply to every service may be empty only when services
// were chosen: among all are the lab's own, which fill it.
func (p Panel) judge(chosen map[string]string) State {
	found := len(p.Answers) == 0
	for _, a := range p.Answers {
		if a.Err != nil {
			return Failed
		}
		found = found || a.Count() > 0
	}
	switch {
	case found:
		return Shown
	case p.MayBeEmpty(), p.NoValue != "" && chosen["service"] != "":
		return Quiet
	}
	return Empty
}

// Failures returns the panels that failed, and those that are empty and should not
// be, by "dashboard / panel".
func (s Snapshot) Failures() (failed, empty []string) {
	for _, d := range s.Dashboards {
		for _, p := range d.Panels {
			switch p.State {
			case Failed:
				failed = append(failed, d.Title+" / "+p.Title)
			case Empty:
				empty = append(empty, d.Title+" / "+p.Title)
			}
		}
	}
	return failed, empty
}
