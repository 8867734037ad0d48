package verify

import (
	"context"
	"fmt"
	"maps"
	"strconv"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// timing has the times that verify waits and allows. Only tests use other times than
// [usual].
type timing struct {
	// every is the time between two tries of one check, again the time between two
	// rounds of concurrent checks.
	every, again time.Duration
	// ready bounds a component's answer to /ready.
	ready time.Duration
	// answer bounds every other answer.
	answer time.Duration

	// export is the time within which the services' metrics reach Mimir, and the
	// stack's own, when nothing is wrong: OTEL_METRIC_EXPORT_INTERVAL and Alloy's
	// scrapes (5 s on every target), its queue (1 s) and a margin. Counters
	// are compared when the services have been at rest for this long.
	export time.Duration
	// alive is the time within which a series that is still written has a sample: three
	// intervals and a margin. Without such a bound Mimir answers with the last sample of
	// the last five minutes, even when no more samples arrive.
	alive time.Duration
	// generator is how long Tempo's generator may take. It was measured to need up to
	// 20 s for its first series and 12 s later, because it reads its write-ahead log
	// every 15 s.
	generator time.Duration

	// metrics is for the services' own metrics. A change comes with the next export, or
	// the one after.
	metrics time.Duration
	// settled is for the export of all that was counted before. It is longer than alive: an
	// instance that has just ended looks alive for so long, and nothing newer comes of it.
	settled time.Duration
	// trace and line are for all spans of one request, and its log line.
	trace, line time.Duration
	// traces, lines and counts are for telemetry that is still on its way when a run
	// has ended; a full queue takes a while to drain.
	traces, lines, counts time.Duration
	// kubelet is for the nodes' measurements of a pod, and bounds their age. cAdvisor
	// measures every 10 to 20 s, with timestamps of its own, and is scraped every 10 s;
	// a new pod is measured a round later.
	kubelet time.Duration
	// queues is for finding a queue empty that is filled and emptied all the time: six
	// scrapes.
	queues time.Duration
	// exemplar is for the trace of one exemplar, which may be stored after it.
	exemplar time.Duration
	// panels is for the queries of all panels. A rate needs two exports after the
	// traffic, and the recording rules of long windows are evaluated every 30 s.
	panels time.Duration
	// rules is for the ruler: each group must have been evaluated, and alerts of
	// troubles that ended before verify began must have resolved.
	rules time.Duration
	// links and grafana are for data that is there by then.
	links, grafana time.Duration
	// delay is the delay that a slow query is asked for. It is long enough to stand out
	// on a busy machine.
	delay time.Duration

	// fresh is the time within which each signal of a request must be found. The limits
	// are about twice the times measured on two cores. Span metrics have a minute because
	// of the generator's interval, which no setting changes.
	fresh map[string]time.Duration
}

// usual is the timing on every target.
func usual() timing {
	return timing{
		every: 200 * time.Millisecond, again: time.Second, ready: 5 * time.Second, answer: 30 * time.Second,
		export: 7 * time.Second, alive: 20 * time.Second, generator: 45 * time.Second, metrics: 15 * time.Second, settled: 27 * time.Second,
		trace: 15 * time.Second, line: 15 * time.Second,
		traces: 30 * time.Second, lines: 20 * time.Second, counts: 30 * time.Second,
		queues: 30 * time.Second, panels: 45 * time.Second, rules: 45 * time.Second, links: 15 * time.Second, grafana: 15 * time.Second,
		kubelet: time.Minute, exemplar: 5 * time.Second, delay: 300 * time.Millisecond,
		fresh: map[string]time.Duration{
			traceByID: 10 * time.Second, traceSearch: 15 * time.Second, logLine: 10 * time.Second,
			metric: 15 * time.Second, exemplar: 20 * time.Second, spanMetric: 60 * time.Second,
		},
	}
}

// after is the timing of a lab whose traces arrive later by a wait. Two more seconds are
// the sampler's own clock and its batches.
func (t timing) after(wait time.Duration) timing {
	wait += 2 * time.Second
	t.trace, t.traces, t.exemplar = t.trace+wait, t.traces+wait, t.exemplar+wait
	t.fresh = maps.Clone(t.fresh)
	t.fresh[traceByID] += wait
	t.fresh[traceSearch] += wait
	return t
}

// poll calls try until it returns nil, and returns the last error when the time is up.
// try gets a context that ends then, so a try that hangs fails, too.
func (v *verifier) poll(ctx context.Context, within time.Duration, try func(context.Context) error) error {
	limited, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var last error
	for {
		err := try(limited)
		if err == nil && limited.Err() == nil {
			return nil
		}
		if limited.Err() == nil {
			last = err
			_ = wait.For(limited, v.timing.every)
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case limited.Err() == nil:
			continue
		case last == nil: // the first try has taken all the time
			return fmt.Errorf("no answer within %v", within)
		}
		return fmt.Errorf("after %v: %w", within, last)
	}
}

// inQuery writes a duration for PromQL and LogQL.
func inQuery(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) + "ms" }
