package facts

import (
	"cmp"
	"hash/maphash"
	"slices"
	"sync"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/runid"
)

// Keeper reads OTLP and keeps the facts of every service in it: of all runs together, and
// of each run. Its memory is bounded by [limits]; a fact that a bound cut says so in
// [Service.Bounds]. A Keeper may be used by several goroutines.
type Keeper struct {
	mu     sync.Mutex
	now    func() time.Time
	limits limits
	seed   maphash.Seed
	// records are the facts of services. Of a service with runs there is one record with
	// an empty run, for all of them, and one for each run.
	records map[recordKey]*record
	traces  traceTable
	// values is the number of values that all records hold together.
	values int
}

type recordKey struct{ service, run string }

// Summary says of one service what the Keeper has, for a list.
type Summary struct {
	Name string `json:"name"`
	// RunIDs are the runs whose facts are kept apart, the latest first.
	RunIDs       []string  `json:"run_ids"`
	FirstSeen    time.Time `json:"first_seen"`
	LastSeen     time.Time `json:"last_seen"`
	Spans        uint64    `json:"spans"`
	LogRecords   uint64    `json:"log_records"`
	MetricPoints uint64    `json:"metric_points"`
}

// NewKeeper returns a Keeper that has seen nothing.
func NewKeeper() *Keeper { return newKeeper(time.Now, defaultLimits()) }

func newKeeper(now func() time.Time, limits limits) *Keeper {
	k := &Keeper{now: now, limits: limits, seed: maphash.MakeSeed(), records: map[recordKey]*record{}}
	k.traces = newTraceTable(limits)
	return k
}

// Traces reads spans. It does not keep or change td.
func (k *Keeper) Traces(td ptrace.Traces) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for _, rs := range td.ResourceSpans().All() {
		sources := k.sources(rs.Resource(), rs.SchemaUrl(), "traces", now)
		for _, s := range sources {
			s.record.readSpans(s.resource, rs.ScopeSpans())
		}
		k.traces.add(sources, rs.ScopeSpans(), now)
	}
	k.traces.forget(now)
}

// Logs reads log records. It does not keep or change ld.
func (k *Keeper) Logs(ld plog.Logs) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for _, rl := range ld.ResourceLogs().All() {
		for _, s := range k.sources(rl.Resource(), rl.SchemaUrl(), "logs", now) {
			s.record.readLogs(s.resource, rl.ScopeLogs(), now)
		}
	}
}

// Metrics reads metrics. It does not keep or change md.
func (k *Keeper) Metrics(md pmetric.Metrics) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	for _, rm := range md.ResourceMetrics().All() {
		for _, s := range k.sources(rm.Resource(), rm.SchemaUrl(), "metrics", now) {
			s.record.readMetrics(s.resource, rm.ScopeMetrics())
		}
	}
}

// SpansLost tells the Keeper that spans did not reach it. Traces of this moment are then
// not asked for spans that are missing: the Keeper, not the service, lacks them.
func (k *Keeper) SpansLost() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.traces.lost(k.now())
}

// Service returns the facts of one service: of all its runs if run is empty. It returns
// false if the Keeper has none.
func (k *Keeper) Service(name, run string) (Service, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	r, ok := k.records[recordKey{name, run}]
	if !ok {
		return Service{}, false
	}
	return r.snapshot(&k.traces, k.now()), true
}

// Services lists the services by name.
func (k *Keeper) Services() []Summary {
	k.mu.Lock()
	defer k.mu.Unlock()
	summaries := []Summary{}
	for key, r := range k.records {
		if key.run == "" {
			summaries = append(summaries, Summary{
				Name: r.name, RunIDs: k.runs(r.name), FirstSeen: r.first, LastSeen: r.last,
				Spans: r.spans.Count, LogRecords: r.logs.Count, MetricPoints: r.points,
			})
		}
	}
	slices.SortFunc(summaries, func(a, b Summary) int { return cmp.Compare(a.Name, b.Name) })
	return summaries
}

// runs are the runs of a service, the latest first.
func (k *Keeper) runs(service string) []string {
	var records []*record
	for key, r := range k.records {
		if key.service == service && key.run != "" {
			records = append(records, r)
		}
	}
	slices.SortFunc(records, func(a, b *record) int { return cmp.Or(b.last.Compare(a.last), cmp.Compare(a.run, b.run)) })
	runs := []string{}
	for _, r := range records {
		runs = append(runs, r.run)
	}
	return runs
}

// A source is a resource in one of the records that it counts in.
type source struct {
	record   *record
	resource *resource
}

// sources are the records that a resource's data counts in: the service's, and that of
// the run if the resource names one.
func (k *Keeper) sources(res pcommon.Resource, schema, signal string, now time.Time) []source {
	name, run := text(res, "service.name"), text(res, runid.Attribute)
	runs := []string{""}
	if run != "" {
		runs = append(runs, run)
	}
	var sources []source
	for _, run := range runs {
		r := k.record(recordKey{name, run}, now)
		r.last = now
		sources = append(sources, source{r, r.readResource(res, schema, signal, now)})
	}
	return sources
}

// record returns the record of a service or of one of its runs. A new one replaces that
// which has received nothing for the longest time if there are too many.
func (k *Keeper) record(key recordKey, now time.Time) *record {
	if r, ok := k.records[key]; ok {
		return r
	}
	limit, same := k.limits.services, func(other recordKey) bool { return other.run == "" }
	if key.run != "" {
		limit, same = k.limits.runs, func(other recordKey) bool { return other.run != "" }
	}
	var oldest *record
	n := 0
	for other, r := range k.records {
		if same(other) {
			n++
			if oldest == nil || r.last.Before(oldest.last) {
				oldest = r
			}
		}
	}
	if n >= limit {
		k.drop(oldest)
	}
	r := newRecord(k, key, now)
	k.records[key] = r
	return r
}

// drop forgets a record, and with a service its runs.
func (k *Keeper) drop(r *record) {
	for key, other := range k.records {
		if other == r || r.run == "" && key.service == r.name {
			k.values -= other.values
			delete(k.records, key)
		}
	}
}

// text is the text of a resource's attribute; "" if the resource has none.
func text(res pcommon.Resource, key string) string {
	v, ok := res.Attributes().Get(key)
	if !ok {
		return ""
	}
	return shorten(v.AsString(), maxText)
}
