package chaos

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// The signals whose freshness is watched.
const (
	traceByID   = "trace by id"
	traceSearch = "trace by search"
	logLine     = "log line"
	metric      = "metric"
	exemplar    = "exemplar"
	spanMetric  = "span metric"
)

// signals are all signals, in the order in which tables have them.
var signals = []string{traceByID, traceSearch, logLine, metric, exemplar, spanMetric}

// watchEvery is the time between two looks at a signal, and bounds an answer.
const (
	watchEvery  = 2 * time.Second
	watchAnswer = 5 * time.Second
)

// Fresh is a step in a signal's way: at a time its newest datum was of a request that was
// sent at another.
type Fresh struct {
	At   time.Time `json:"at"`
	Data time.Time `json:"data"`
}

// FiredAlert is an alert that fired while the traffic ran.
type FiredAlert struct {
	Name   string            `json:"name"`
	Labels map[string]string `json:"labels,omitempty"`
	// Fired is when it was first seen firing, Resolved when it was first seen to be over;
	// the zero time is an alert that still fired at the end.
	Fired    time.Time `json:"fired"`
	Resolved time.Time `json:"resolved,omitzero"`
}

// watch follows the signals and the alerts while the traffic runs.
type watch struct {
	stores query.Stores

	mu     sync.Mutex
	list   []traffic.Answer
	sent   map[string]time.Time // of answered requests, by trace id
	steps  map[string][]Fresh
	alerts map[string]*FiredAlert
}

func newWatch(stores query.Stores) *watch {
	return &watch{stores: stores, sent: map[string]time.Time{}, steps: map[string][]Fresh{}, alerts: map[string]*FiredAlert{}}
}

// answered takes in a request that has ended.
func (w *watch) answered(a traffic.Answer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, a)
	if a.OK() {
		w.sent[a.TraceID] = a.Sent
	}
}

func (w *watch) all() []traffic.Answer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.SortedFunc(slices.Values(w.list), func(a, b traffic.Answer) int { return a.N - b.N })
}

func (w *watch) fired() []FiredAlert {
	all := []FiredAlert{}
	for _, key := range slices.Sorted(maps.Keys(w.alerts)) {
		all = append(all, *w.alerts[key])
	}
	return all
}

// run watches until ctx ends.
func (w *watch) run(ctx context.Context) {
	var all sync.WaitGroup
	looks := map[string]func(context.Context) time.Time{
		traceByID: w.newestTrace, traceSearch: w.newestFound, logLine: w.newestLine,
		metric:   w.newestSample,
		exemplar: w.newestExemplar(`http_server_request_duration_seconds_bucket{service_name="frontend"}`),
		// The generator counts a span some seconds after its request; the exemplar says
		// which request it has counted.
		spanMetric: w.newestExemplar(`traces_spanmetrics_latency_bucket{service="frontend",span_kind="SPAN_KIND_SERVER"}`),
	}
	for signal, look := range looks {
		all.Go(func() {
			for wait.For(ctx, watchEvery) == nil {
				limited, cancel := context.WithTimeout(ctx, watchAnswer)
				newest := look(limited)
				cancel()
				w.note(signal, newest, time.Now())
			}
		})
	}
	all.Go(func() {
		for wait.For(ctx, watchEvery) == nil {
			limited, cancel := context.WithTimeout(ctx, watchAnswer)
			w.lookAtAlerts(limited)
			cancel()
		}
	})
	all.Wait()
}

// freshSince tells whether every signal has a datum from a time on.
func (w *watch) freshSince(since time.Time) bool {
	for _, signal := range signals {
		if w.newest(signal).Before(since) {
			return false
		}
	}
	return true
}

// alert tells whether an alert has fired, and whether none of that name still fires.
func (w *watch) alert(name string) (fired, over bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	over = true
	for _, a := range w.alerts {
		if a.Name == name {
			fired, over = true, over && !a.Resolved.IsZero()
		}
	}
	return fired, over
}

// note notes that a signal has moved on.
func (w *watch) note(signal string, newest, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if steps := w.steps[signal]; !newest.IsZero() && (len(steps) == 0 || newest.After(steps[len(steps)-1].Data)) {
		w.steps[signal] = append(steps, Fresh{now, newest})
	}
}

// newest is the last note of a signal.
func (w *watch) newest(signal string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if steps := w.steps[signal]; len(steps) > 0 {
		return steps[len(steps)-1].Data
	}
	return time.Time{}
}

// newestTrace looks up the traces of some of the last requests, the latest first.
func (w *watch) newestTrace(ctx context.Context) time.Time {
	known := w.newest(traceByID)
	for _, id := range w.recent(known) {
		if spans, err := w.stores.Tempo.Trace(ctx, id); err == nil && len(spans) > 0 {
			return w.sentAt(id)
		}
	}
	return time.Time{}
}

// recent are trace ids of answered requests that were sent after a time: the latest, one
// from a few seconds before it, and so on.
func (w *watch) recent(after time.Time) (ids []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next := time.Now()
	for i := len(w.list) - 1; i >= 0 && len(ids) < 4; i-- {
		a := w.list[i]
		if !a.Sent.After(after) {
			break
		}
		if a.OK() && !a.Sent.After(next) {
			ids = append(ids, a.TraceID)
			next = a.Sent.Add(-3 * time.Second)
		}
	}
	return ids
}

// sentAt is when the request of a trace was sent; the zero time for a trace that is not of
// this run.
func (w *watch) sentAt(id string) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent[id]
}

// lookBack is how far a signal's newest datum is searched for.
const lookBack = 5 * time.Minute

// newestFound searches for the traces of some of the last requests, the latest first.
func (w *watch) newestFound(ctx context.Context) time.Time {
	now := time.Now()
	for _, id := range w.recent(w.newest(traceSearch)) {
		found, err := w.stores.Tempo.Search(ctx, `{ trace:id = "`+id+`" }`, now.Add(-lookBack), now, 1)
		if err == nil && slices.Contains(found, id) {
			return w.sentAt(id)
		}
	}
	return time.Time{}
}

func (w *watch) latestOf(ids []string) (newest time.Time) {
	for _, id := range ids {
		if sent := w.sentAt(id); sent.After(newest) {
			newest = sent
		}
	}
	return newest
}

// newestLine is the newest request that has an access-log line.
func (w *watch) newestLine(ctx context.Context) (newest time.Time) {
	now := time.Now()
	lines, _ := w.stores.Loki.Latest(ctx, `{service_name="frontend"} |~ "^request$"`, now.Add(-lookBack), now, 20)
	var ids []string
	for _, l := range lines {
		ids = append(ids, l.Labels["trace_id"])
	}
	return w.latestOf(ids)
}

// newestSample is the time of the last sample of that service's counter of requests which
// is further behind.
func (w *watch) newestSample(ctx context.Context) time.Time {
	value, found, err := w.stores.Mimir.Scalar(ctx,
		`min(max by (service_name) (timestamp(http_server_request_duration_seconds_count{service_name=~"frontend|backend"})))`, time.Now())
	if err != nil || !found {
		return time.Time{}
	}
	return time.UnixMilli(int64(value * 1000))
}

// newestExemplar is the newest request that a series has an exemplar of.
func (w *watch) newestExemplar(selector string) func(context.Context) time.Time {
	return func(ctx context.Context) time.Time {
		now := time.Now()
		found, _ := w.stores.Mimir.Exemplars(ctx, selector, now.Add(-lookBack), now.Add(time.Minute))
		var ids []string
		for _, e := range found {
			ids = append(ids, e.TraceID)
		}
		return w.latestOf(ids)
	}
}

// lookAtAlerts notes which alerts fire and which are over.
func (w *watch) lookAtAlerts(ctx context.Context) {
	groups, err := w.stores.Mimir.Rules(ctx)
	if err != nil {
		return
	}
	now := time.Now()
	w.mu.Lock()
	defer w.mu.Unlock()
	firing := map[string]bool{}
	for _, g := range groups {
		for _, r := range g.Rules {
			for _, a := range r.Alerts {
				if !a.Firing || r.Name == "Watchdog" {
					continue
				}
				key := r.Name + labelText(a.Labels)
				firing[key] = true
				if w.alerts[key] == nil {
					w.alerts[key] = &FiredAlert{Name: r.Name, Labels: a.Labels, Fired: now}
				}
				w.alerts[key].Resolved = time.Time{}
			}
		}
	}
	for key, a := range w.alerts {
		if !firing[key] && a.Resolved.IsZero() {
			a.Resolved = now
		}
	}
}

func labelText(labels map[string]string) (text string) {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		text += " " + name + "=" + labels[name]
	}
	return text
}
