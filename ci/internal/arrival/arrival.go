// Package arrival looks in the stores for what one run of an application has sent, and
// counts it by signal.
package arrival

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// Run is the run whose telemetry is looked for.
type Run struct {
	// ID is the value of the resource attribute lab.run.id.
	ID string
	// Since is when the run began.
	Since time.Time
}

// Counts is what has arrived of a run.
type Counts struct {
	// Traces is the number of traces, at most [MaxTraces], and Spans that of the run's
	// spans in them.
	Traces int `json:"traces"`
	Spans  int `json:"spans"`
	Lines  int `json:"lines"`
	// Series is the number of metric series, and Metrics that of their names. A histogram
	// has three names or more, as in the store.
	Series  int `json:"series"`
	Metrics int `json:"metrics"`
	// TraceID is the latest trace's, TraceName the service and name of its root; "" when
	// there is none.
	TraceID   string `json:"trace_id"`
	TraceName string `json:"trace_name"`
}

// MaxTraces is the number of traces up to which they are counted.
const MaxTraces = 1000

// Nothing tells whether nothing has arrived.
func (c Counts) Nothing() bool { return c.Spans == 0 && c.Lines == 0 && c.Series == 0 }

// slack is how much earlier than the run its telemetry may claim to be: a clock's error.
const slack = 5 * time.Second

// Count counts what has arrived until now. The three stores are asked side by side. What
// one store has answered is returned, although another gives an error.
func Count(ctx context.Context, s query.Stores, r Run) (Counts, error) {
	var traces, lines, series Counts
	var errs [3]error
	var all errgroup.Group
	all.Go(func() error { traces, errs[0] = countTraces(ctx, s.Tempo, r); return nil })
	all.Go(func() error { lines, errs[1] = countLines(ctx, s.Loki, r); return nil })
	all.Go(func() error { series, errs[2] = countSeries(ctx, s.Mimir, r); return nil })
	_ = all.Wait()
	traces.Lines, traces.Series, traces.Metrics = lines.Lines, series.Series, series.Metrics
	return traces, errors.Join(errs[:]...)
}

func countTraces(ctx context.Context, tempo query.Tempo, r Run) (Counts, error) {
	found, err := tempo.Find(ctx, fmt.Sprintf("{ resource.%s = %q }", runid.Attribute, r.ID), r.Since.Add(-slack), time.Now(), MaxTraces)
	if err != nil {
		return Counts{}, err
	}
	c := Counts{Traces: len(found)}
	var latest time.Time
	for _, f := range found {
		c.Spans += f.Matched
		if f.Start.After(latest) {
			latest, c.TraceID, c.TraceName = f.Start, f.TraceID, f.Service+" "+f.Name
		}
	}
	return c, nil
}

func countLines(ctx context.Context, loki query.Loki, r Run) (Counts, error) {
	text := fmt.Sprintf("sum(count_over_time({service_name=~`.+`} | %s=%q [%s]))", runid.Label, r.ID, window(r))
	n, err := loki.Count(ctx, text, "", time.Now())
	return Counts{Lines: int(n[""])}, err
}

// countSeries leaves out the metrics that Tempo and Mimir make themselves.
func countSeries(ctx context.Context, mimir query.Mimir, r Run) (Counts, error) {
	text := fmt.Sprintf(`count by (__name__) (last_over_time({%s=%q,__name__!~"traces_.*|target_info"}[%s]))`, runid.Label, r.ID, window(r))
	samples, err := mimir.Instant(ctx, text, time.Now())
	c := Counts{Metrics: len(samples)}
	for _, s := range samples {
		c.Series += int(s.Value)
	}
	return c, err
}

// window is the time since the run began, as a range of the query languages.
func window(r Run) string {
	return strconv.Itoa(int((time.Since(r.Since) + 2*slack).Seconds())) + "s"
}

// Bounds of [Settle].
const (
	// quiet is how long the counts must stay the same. Telemetry is found in each of the
	// stores within about two seconds.
	quiet = 2 * time.Second
	// nothingAfter is how long an application without telemetry is given.
	nothingAfter = 5 * time.Second
	// settleWithin bounds the whole wait.
	settleWithin = 15 * time.Second
	askEvery     = 500 * time.Millisecond
)

// Settle counts until the counts no longer grow, for an application that has ended. It
// returns the last counts, and the last error if a store did not answer.
func Settle(ctx context.Context, s query.Stores, r Run) (Counts, error) {
	begin, changed := time.Now(), time.Now()
	var last Counts
	for {
		c, err := Count(ctx, s, r)
		if ctx.Err() != nil {
			return last, context.Cause(ctx)
		}
		if c != last {
			last, changed = c, time.Now()
		}
		still := time.Since(changed)
		if time.Since(begin) > settleWithin || still >= nothingAfter || still >= quiet && !c.Nothing() && err == nil {
			return last, err
		}
		if err := wait.For(ctx, askEvery); err != nil {
			return last, err
		}
	}
}
