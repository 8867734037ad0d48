package verify

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/endpoints"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
)

// tampering breaks one thing of the fake, and says which checks must fail. All
// others must pass: a failure has to point at what is broken.
type tampering struct {
	name string
	// do breaks it.
	do func(f *fake)
	// fails are the checks, as "group: name"; "group: *" is some of the group.
	fails []string
	// says is what the detail of the first of them, or of any of a group, must say.
	says string
	// earlier lets an earlier run be verified whose report is empty.
	earlier bool
	// kubernetes lets the lab be one in a cluster.
	kubernetes bool
}

// TestEveryCheckCanFail breaks one thing after another. That every check there is
// fails at least once is a part of the test. A short run takes every fourth tampering.
func TestEveryCheckCanFail(t *testing.T) {
	tamperings := slices.Concat( // those that take longest first
		partTamperings(), traceTamperings(), logTamperings(), faultTamperings(), serviceTamperings(),
		completenessTamperings(), metricTamperings(), exemplarTamperings(), lossTamperings(), podTamperings(),
		panelTamperings(), ruleTamperings(), linkTamperings(), grafanaTamperings(), retentionTamperings(),
	)
	if testing.Short() {
		n := 0
		tamperings = slices.DeleteFunc(tamperings, func(tampering) bool { n++; return n%4 != 1 })
	}
	results := make([]result, len(tamperings))
	// So short a limit may be too short on a busy machine: those that are not as they
	// should be get a second chance and a third, each with a longer limit.
	for round, limit := range []time.Duration{shortLimit, longLimit / 2, 4 * longLimit} {
		// They wait more than they work, so more of them at once than processors.
		var all errgroup.Group
		all.SetLimit(16)
		for i, c := range tamperings {
			wrong := c.wrong(results[i])
			if round > 0 && wrong != "" {
				t.Logf("once more, with a limit of %v: %s: %s", limit, c.name, wrong)
			}
			if round == 0 || wrong != "" {
				all.Go(func() error {
					results[i] = c.run(t, limit)
					return nil
				})
			}
		}
		_ = all.Wait() // none returns an error
	}
	failed := map[string]bool{}
	for i, c := range tamperings {
		t.Run(c.name, func(t *testing.T) {
			if wrong := c.wrong(results[i]); wrong != "" {
				t.Error(wrong)
			}
		})
		for _, check := range failures(results[i].Report) {
			failed[name(check)] = true
		}
	}
	t.Run("each check is failed by one of them", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes all tamperings")
		}
		for check := range checksOf(t) {
			if !failed[check] {
				t.Errorf("no tampering makes %q fail", check)
			}
		}
	})
}

// lifetime is a part of a test that cleans up by itself.
type lifetime struct {
	testing.TB
	cleanups []func()
}

func (l *lifetime) Cleanup(f func()) { l.cleanups = append(l.cleanups, f) }

func (l *lifetime) end() {
	for _, f := range slices.Backward(l.cleanups) {
		f()
	}
}

// result is what a run of verify returns.
type result struct {
	report.Report
	err error
}

// run verifies a fake that is tampered with.
func (c tampering) run(t *testing.T, limit time.Duration) result {
	// Its servers end now, not with the test: there are very many.
	life := &lifetime{TB: t}
	defer life.end()
	f := startFake(life)
	c.do(f)
	v := f.verifier()
	v.timing = quick(limit)
	v.Kubernetes = c.kubernetes
	if c.earlier {
		v.Run = &traffic.Report{} // what a file that is something else is read as
	}
	if !slices.Contains(c.fails, "endpoints: *") {
		v.endpoints = func(context.Context, endpoints.Target) []report.Check { return nil } // they are many
	}
	r, err := v.run(t.Context())
	return result{r, err}
}

// wrong compares the failures with those that there must be.
func (c tampering) wrong(r result) string {
	if r.err != nil {
		return "there is no report: " + r.err.Error()
	}
	var got []string
	said := ""
	for _, check := range failures(r.Report) {
		named := name(check)
		if wild := check.Group + ": *"; slices.Contains(c.fails, wild) {
			named = wild
		}
		got = append(got, named)
		if named == c.fails[0] {
			said += check.Detail + "\n"
		}
	}
	want := slices.Sorted(slices.Values(c.fails))
	slices.Sort(got)
	if diff := cmp.Diff(want, slices.Compact(got)); diff != "" {
		return fmt.Sprintf("the checks that fail are not those that should (- want, + got):\n%s\n%s", diff, details(r.Report))
	}
	if !strings.Contains(said, c.says) {
		return fmt.Sprintf("the detail of %q is\n%s\nwant it to say %q", c.fails[0], said, c.says)
	}
	return ""
}

func name(c report.Check) string { return c.Group + ": " + c.Name }

func failures(r report.Report) (out []report.Check) {
	for _, c := range r.Checks {
		if c.Failed() {
			out = append(out, c)
		}
	}
	return out
}

func details(r report.Report) string {
	var b strings.Builder
	for _, c := range failures(r) {
		fmt.Fprintf(&b, "%s: measured %s: %s\n", name(c), c.Measured, c.Detail)
	}
	return b.String()
}

// clusterOnly are the checks that are skipped where the lab is not in a cluster.
var clusterOnly = []string{namespaceVar, "panels: Demo / Nodes (Kubernetes)"}

// checksOf lists the checks of a whole lab: in a cluster with traffic of verify's
// own, and elsewhere with an earlier run. All of them must pass.
func checksOf(t *testing.T) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	own, earlier := startFake(t).verifier(), startFake(t).verifier()
	own.Kubernetes = true
	earlier.Run = earlierRun(t, earlier)
	for _, v := range []*verifier{own, earlier} {
		r, err := v.run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !r.OK() {
			t.Errorf("checks of a whole lab fail:\n%s", details(r))
		}
		var skipped []string
		seen := map[string]bool{}
		for _, c := range r.Checks {
			if seen[name(c)] {
				t.Errorf("there are two checks %q", name(c))
			}
			seen[name(c)] = true
			if c.Status == report.Skip {
				skipped = append(skipped, name(c))
				continue
			}
			all[name(c)] = true
		}
		if v == earlier && !slices.Equal(skipped, clusterOnly) || v == own && len(skipped) > 0 {
			t.Errorf("skipped are %q", skipped)
		}
	}
	return all
}

// The checks, by short names for the tables.
const (
	joined      = "trace: a request is one trace"
	conventing  = "trace: spans follow the conventions"
	slowQuery   = "trace: a slow query is where the time went"
	failQuery   = "trace: a failing query fails the request"
	frontLine   = "logs: the frontend's line of that trace"
	backLine    = "logs: the backend's line of that trace"
	sending     = "completeness: traffic small"
	earlierOne  = "completeness: traffic of the earlier run"
	stored      = "completeness: traces stored"
	frontLines  = "completeness: access-log lines of the frontend"
	backLines   = "completeness: access-log lines of the backend"
	auditTrail  = "completeness: audit-log lines of changed users"
	frontCount  = "completeness: requests counted by the frontend"
	backCount   = "completeness: requests counted by the backend"
	userGauge   = "metrics: lab_users"
	edge        = "service graph: frontend → backend"
	edgeSQL     = "service graph: backend → its database"
	byRoute     = "service graph: span metrics by route"
	exFrontend  = "exemplars: of the frontend's requests"
	exBackend   = "exemplars: of the backend's requests"
	exSQL       = "exemplars: of the SQL statements"
	exSpans     = "exemplars: of the span metrics"
	freshTrace  = "freshness: trace by id"
	freshSearch = "freshness: trace by search"
	freshLine   = "freshness: log line"
	freshMetric = "freshness: metric"
	freshMark   = "freshness: exemplar"
	freshSpans  = "freshness: span metric"
	emptyQueues = "nothing lost: Alloy's queues are empty"

	serviceVar   = "panels: Demo / $service"
	namespaceVar = "panels: Demo / $namespace"
	jobVar       = "panels: Demo / $job"
	requests     = "panels: Demo / Requests"
	durations    = "panels: Demo / Durations"
	rightNow     = "panels: Demo / Right now"
	linesPanel   = "panels: Demo / Lines"
	levelsPanel  = "panels: Demo / Lines by level"
	panicsPanel  = "panels: Demo / Panics"
	tracesPanel  = "panels: Demo / Traces"
	spansPanel   = "panels: Demo / Spans"
	mapPanel     = "panels: Demo / Service map"
	loadPanel    = "panels: Demo / Load"

	rulesLoaded  = "rules: loaded"
	demoGroup    = "rules: group demo"
	recordUsers  = "rules: " + demoRecord
	recordLost   = "rules: " + demoLosses + `{cause="discarded"}`
	recordGiven  = "rules: " + demoLosses + `{cause="given up"}`
	ruleMetrics  = "rules: metrics that rules name"
	alertsFiring = "rules: alerts"

	logToTrace      = "links: log → trace, by trace_id"
	traceToLogs     = "links: trace → logs"
	traceToRate     = "links: trace → metrics, Request rate"
	traceToErrors   = "links: trace → metrics, Share of failed requests"
	traceToDuration = "links: trace → metrics, 95th percentile"
	exemplarToTrace = "links: exemplar → trace, by trace_id"
	mapLink         = "links: service map"

	keptLogs    = "retention: logs"
	keptAudit   = "retention: audit log"
	keptTraces  = "retention: traces"
	keptMetrics = "retention: metrics"

	grafanaHealth = "grafana: health"
	demoShown     = "grafana: dashboard lab-demo"
)

var (
	panelsOfMimir   = []string{serviceVar, jobVar, requests, durations, rightNow, mapPanel}
	panelsOfLoki    = []string{linesPanel, levelsPanel, panicsPanel}
	ruleChecks      = []string{rulesLoaded, demoGroup, recordUsers, recordLost, recordGiven, ruleMetrics, alertsFiring}
	traceToMetrics  = []string{traceToRate, traceToErrors, traceToDuration}
	grafanaSources  = []string{"grafana: data source mimir", "grafana: data source loki", "grafana: data source tempo"}
	linksOfTheLines = []string{logToTrace, traceToLogs}
)

var (
	exemplarChecks = []string{exFrontend, exBackend, exSQL, exSpans}
	// probeChecks are those that need the one request to have been answered.
	probeChecks = []string{joined, conventing, frontLine, backLine, freshTrace, freshSearch, freshLine, freshMetric, freshMark, freshSpans}
)

func names(groups ...[]string) []string { return slices.Concat(groups...) }
