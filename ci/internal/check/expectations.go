package check

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/cases"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/judge"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/report"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

const (
	// askEvery is the pause between two questions when the case does not say one.
	askEvery = 500 * time.Millisecond
	// stillFor is how long a verdict must stay that more telemetry could change, where
	// some was there: the stores have everything after about two seconds.
	stillFor = 2500 * time.Millisecond
	// lastWords is how long telemetry may take to arrive that an application has sent before
	// it ended with an error.
	lastWords = 5 * time.Second
	// settledAfter is how long the failures of a question that settles must stay the same:
	// the inspector has all telemetry after about two seconds, and judges a trace 5 s after
	// its last span.
	settledAfter = 8 * time.Second
	// questionTimeout bounds one question.
	questionTimeout = 20 * time.Second
)

// question is one expectation.
type question struct {
	name string
	rows string // what its rows are
	at   cases.Position
	ask  func(context.Context, judge.Scope) judge.Verdict
	// skip is the reason why the lab does not judge it.
	skip string
	// settles says that the failures are about all that the run has sent, and end to change
	// when all has arrived.
	settles bool
}

// questions are the case's expectations.
func (r *runner) questions() []question {
	e := r.c.Expected
	var all []question
	for i, t := range e.Traces {
		all = append(all, question{named("traces", i, t.Query), "traces", t.Query.At,
			func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Judge.Traces(ctx, t, scope) }, "", false})
	}
	for i, l := range e.Logs {
		all = append(all, question{named("logs", i, l.Query), "lines", l.Query.At,
			func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Judge.Logs(ctx, l, scope) }, "", false})
	}
	for i, m := range e.Metrics {
		all = append(all, question{named("metrics", i, m.Query), "series", m.Query.At,
			func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Judge.Metrics(ctx, m, scope) }, "", false})
	}
	for i, p := range e.Profiles {
		all = append(all, question{name: named("profiles", i, p.Query), at: p.Query.At, skip: "the lab keeps no profiles"})
	}
	for i, t := range e.Trees {
		all = append(all, question{named("trees", i, t.Query), "traces", t.At,
			func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Judge.Tree(ctx, t, scope) }, "", false})
	}
	if e.Complete != nil {
		all = append(all, question{"complete", "traces", e.Complete.At,
			func(ctx context.Context, scope judge.Scope) judge.Verdict {
				return r.Judge.Complete(ctx, *e.Complete, scope)
			}, "", false})
	}
	for i, text := range e.ComposeLogs {
		all = append(all, r.outputQuestion(i, text))
	}
	return append(all, r.qualityQuestions()...)
}

// named is the name of a check: the key and the beginning of the query.
func named(key string, i int, q cases.Query) string {
	text := []rune(strings.Join(strings.Fields(q.Text), " "))
	if len(text) > 60 {
		text = append(text[:59], '…')
	}
	return strings.TrimSpace(fmt.Sprintf("%s[%d] %s", key, i, string(text)))
}

// outputQuestion looks for a text in what the application prints: its output is what a
// container's log is.
func (r *runner) outputQuestion(i int, text string) question {
	q := question{name: fmt.Sprintf("compose-logs[%d] %.60s", i, text), rows: "lines", at: r.c.At}
	switch {
	case r.containers != nil:
		q.ask = func(ctx context.Context, _ judge.Scope) judge.Verdict { return r.composeLogs(ctx, text) }
		return q
	case r.app == nil:
		q.skip = "the case starts no application whose output could be looked at"
		return q
	}
	q.ask = func(context.Context, judge.Scope) judge.Verdict {
		raw, err := os.ReadFile(r.app.output)
		if err == nil && strings.Contains(string(raw), text) {
			return judge.Verdict{OK: true, Rows: 1}
		}
		return judge.Verdict{Failures: []judge.Failure{{
			Rule: "compose-logs", Message: fmt.Sprintf("the application has not printed %q", text), Nearest: strings.Split(r.app.lastOutput(), "\n"),
		}}}
	}
	return q
}

// qualityQuestions are about the score and the findings.
func (r *runner) qualityQuestions() []question {
	var all []question
	without := func(context.Context, judge.Scope) judge.Verdict {
		return judge.Verdict{Final: true, Failures: []judge.Failure{{
			Rule: "inspector", Message: "this lab keeps no facts of what services send: bring it up with `lab up --inspect`",
		}}}
	}
	if e := r.c.Expected.Score; e != nil {
		q := question{name: "score", rows: "services", at: e.At, ask: without, settles: true}
		if r.Quality != nil {
			q.ask = func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Quality.Score(ctx, *e, scope) }
		}
		all = append(all, q)
	}
	if e := r.c.Expected.Findings; e != nil {
		q := question{name: "findings", rows: "services", at: e.At, ask: without, settles: true}
		if r.Quality != nil {
			q.ask = func(ctx context.Context, scope judge.Scope) judge.Verdict { return r.Quality.Findings(ctx, *e, scope) }
		}
		all = append(all, q)
	}
	return all
}

// expectations asks all questions side by side. The scripts run beside them, one after
// another: a script may be what makes the application send, such as a visit by a browser.
func (r *runner) expectations(ctx context.Context) {
	all := r.questions()
	checks := make([]report.Check, len(all))
	var group sync.WaitGroup
	for i, q := range all {
		group.Go(func() { checks[i] = r.pursue(ctx, q) })
	}
	scripts := make([]report.Check, len(r.c.Expected.CustomChecks))
	group.Go(func() {
		for i, script := range r.c.Expected.CustomChecks {
			scripts[i] = r.custom(ctx, i, script)
		}
	})
	group.Wait()
	for i, q := range all {
		r.out.add(q.at, checks[i])
	}
	for i, script := range r.c.Expected.CustomChecks {
		r.out.add(script.At, scripts[i])
	}
}

// pursue asks a question until the answer is right, cannot become right, or the time is up.
func (r *runner) pursue(ctx context.Context, q question) report.Check {
	if q.skip != "" {
		return report.Check{Name: q.name, Status: report.Skip, Detail: q.skip}
	}
	began := time.Now()
	var okSince time.Time // of the verdict that more telemetry could change
	var failures settling
	for {
		asked := time.Now()
		v := r.askOnce(ctx, q, false)
		// A question that takes long is asked less often: the machine has other work.
		pause := max(cmp.Or(r.c.Interval, askEvery), time.Since(asked))
		switch {
		case ctx.Err() != nil:
			return q.check(v, began)
		case v.OK && !v.Revocable:
			return q.check(v, began)
		case v.OK:
			if okSince.IsZero() {
				okSince = time.Now()
			}
			left := time.Until(okSince.Add(stillFor))
			if v.Rows == 0 { // from the input on, however quick the first answer was
				okSince = began
				left = time.Until(began.Add(r.AbsentTimeout))
			}
			if left <= 0 {
				return q.check(v, began)
			}
			// Telemetry that has come stays: few questions are enough, and others want to ask.
			pause = max(pause, left/2)
		case v.Final, time.Since(began) > r.Timeout, r.deadFor() > lastWords, q.settles && failures.since(v) > settledAfter:
			return q.check(r.askOnce(ctx, q, true), began)
		default:
			okSince = time.Time{}
		}
		if wait.For(ctx, pause) != nil {
			return q.check(v, began)
		}
	}
}

// settling remembers since when the failures of a question are the same.
type settling struct {
	rules string
	began time.Time
}

// since returns how long the failures have been those of v. Counts in them do not matter; a
// verdict about no rows is none.
func (s *settling) since(v judge.Verdict) time.Duration {
	var rules strings.Builder
	for _, f := range v.Failures {
		rules.WriteString(f.Rule + withoutDigits(f.Message))
	}
	if v.Rows == 0 || s.rules != rules.String() || s.began.IsZero() {
		s.rules, s.began = rules.String(), time.Now()
	}
	return time.Since(s.began)
}

func withoutDigits(text string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// askOnce asks when it is this question's turn. With explain, the verdict says what was there
// instead.
func (r *runner) askOnce(ctx context.Context, q question, explain bool) judge.Verdict {
	turn := r.turns.of(q.rows)
	if err := turn.Acquire(ctx, 1); err != nil {
		return judge.Verdict{}
	}
	defer turn.Release(1)
	ctx, cancel := context.WithTimeout(ctx, questionTimeout)
	defer cancel()
	scope := r.scope
	scope.Explain = explain
	return q.ask(ctx, scope)
}

// check is the verdict as a line of the report.
func (q question) check(v judge.Verdict, began time.Time) report.Check {
	c := report.Check{Name: q.name, Status: report.Pass, Measured: fmt.Sprintf("%d %s", v.Rows, q.rows), Duration: time.Since(began)}
	if v.OK {
		return c
	}
	c.Status = report.Fail
	var detail strings.Builder
	for i, f := range v.Failures {
		if i == 0 {
			c.Measured = f.Message
		} else {
			fmt.Fprintf(&detail, "%s\n", f.Message)
		}
		for _, line := range f.Nearest {
			fmt.Fprintf(&detail, "  %s\n", line)
		}
	}
	if v.Query != "" {
		fmt.Fprintf(&detail, "asked: %s\n", v.Query)
	}
	if len(v.Failures) == 0 {
		c.Measured = "no answer"
	}
	c.Detail = strings.TrimRight(detail.String(), "\n")
	return c
}
