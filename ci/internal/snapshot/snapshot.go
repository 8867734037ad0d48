// Package snapshot draws the dashboards of a running lab as one static page: the
// evidence of a run that a person opens afterwards, and what stands in for Grafana
// on a machine that has none.
//
// [Take] runs every query of every panel, as package dashboards reads them out of
// the JSON that Grafana gets, and [Write] draws what they answered. The page is one
// HTML file that needs no script and refers to nothing outside of itself.
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

// Options say what to take.
type Options struct {
	// Addresses says where Loki, Tempo and Mimir listen.
	Addresses target.Addresses
	// Kubernetes says that the lab runs in a cluster. Elsewhere the panels that only
	// a cluster can fill are left out, and the page says so.
	Kubernetes bool
	// Commit is what the lab was built from, for the page to tell.
	Commit string
	// Dashboards are those to draw; nil for all of the lab.
	Dashboards []dashboards.Dashboard
	// Last is how far back to look. 0 is as far as each dashboard does, but not
	// further than Mimir has samples: a lab that has been up for minutes would else
	// have them at the right edge of an empty plot.
	Last time.Duration
	// Variables are values for the dashboards' variables, by name.
	Variables map[string]string
	// Progress is told what is being done. It may be nil.
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
	// Span is the time range of the panels.
	Span Span
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

// State is how a panel is.
type State string

// The states. Failed comes before Empty: what did not answer may have data.
const (
	// Shown has data.
	Shown State = "shown"
	// Quiet has no data, and may: it says so with a text of its own.
	Quiet State = "quiet"
	// Empty has no data and should have.
	Empty State = "empty"
	// Failed has a query that was not answered.
	Failed State = "failed"
	// Skipped can only be filled by a cluster, and this is none.
	Skipped State = "skipped"
)

const (
	// answerWithin bounds one query.
	answerWithin = 30 * time.Second
	// atOnce bounds the queries under way, so that the lab is not measured at its
	// own measuring.
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

// Take runs the queries of all panels. A query that is not answered is no error but
// part of the snapshot; see [Snapshot.Failures]. It returns an error when the
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
	transport := http.DefaultTransport.(*http.Transport).Clone()
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
		Dashboard: d, Span: t.span(ctx, d), Values: d.Values(t.Variables), Panels: make([]Panel, len(d.Panels)),
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
	_ = all.Wait() // what fails is in the panel
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
	taken.State = taken.judge()
	return taken
}

// judge tells how the panel is. One without queries, such as a text, has nothing to
// show data of.
func (p Panel) judge() State {
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
	case p.NoValue != "":
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
