package facts

import (
	"container/list"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/traceparent"
)

// A traceTable holds the spans of traces under way, of all services together, because a
// span's parent may be another service's. It judges a trace when its spans have settled.
type traceTable struct {
	limits limits
	// held are the traces by their ids, and in the order in which a span last arrived.
	held  map[pcommon.TraceID]*list.Element
	order *list.List
	spans int
	// judged are the ids whose judgement is final, and ring their order.
	judged map[pcommon.TraceID]bool
	ring   []pcommon.TraceID
	next   int
	// lostAt is when spans were last lost on their way.
	lostAt time.Time
}

// A heldTrace is a trace that is not judged yet.
type heldTrace struct {
	id    pcommon.TraceID
	spans []heldSpan
	last  time.Time
	// cut says that spans of it are missing here.
	cut bool
}

type heldSpan struct {
	id, parent pcommon.SpanID
	start, end pcommon.Timestamp
	kind       ptrace.SpanKind
	// remote says that the SDK knows its parent to be another process's.
	remote  bool
	name    string
	sources []source
}

// traceTallies are the tallies of a service that need whole traces.
type traceTallies struct{ manyInternal, orphans, manyShort, skewed Tally }

// remoteParent are the two bits of a span's flags that say whether it is known that its
// parent is remote, and that it is (opentelemetry-proto, SpanFlags).
const remoteParent = 0x300

// lostFor is how long after a loss of spans a trace may lack spans for it.
const lostFor = 10 * time.Second

func newTraceTable(limits limits) traceTable {
	return traceTable{
		limits: limits, held: map[pcommon.TraceID]*list.Element{}, order: list.New(),
		judged: map[pcommon.TraceID]bool{}, ring: make([]pcommon.TraceID, limits.judged),
	}
}

// add takes the spans of one resource.
func (t *traceTable) add(sources []source, scopes ptrace.ScopeSpansSlice, now time.Time) {
	for _, ss := range scopes.All() {
		for _, span := range ss.Spans().All() {
			if span.TraceID().IsEmpty() {
				continue
			}
			if trace := t.trace(span.TraceID(), sources, now); trace != nil {
				t.hold(trace, span, sources)
			}
		}
	}
}

// trace returns the trace of that id, a new one if need be, and nil if it was judged or
// there is no room.
func (t *traceTable) trace(id pcommon.TraceID, sources []source, now time.Time) *heldTrace {
	if e, ok := t.held[id]; ok {
		trace := e.Value.(*heldTrace)
		trace.last = now
		t.order.MoveToBack(e)
		return trace
	}
	if t.judged[id] {
		reach(sources, boundLateSpans)
		return nil
	}
	if t.spans >= t.limits.heldSpans && !t.judgeOldest(now, t.limits.settle) {
		t.remember(id)
		reach(sources, boundHeldSpans)
		return nil
	}
	trace := &heldTrace{id: id, last: now, cut: now.Sub(t.lostAt) < lostFor}
	t.held[id] = t.order.PushBack(trace)
	return trace
}

func reach(sources []source, b bound) {
	for _, s := range sources {
		s.record.reached[b]++
	}
}

func (t *traceTable) hold(trace *heldTrace, span ptrace.Span, sources []source) {
	if len(trace.spans) >= t.limits.traceSpans {
		trace.cut = true
		reach(sources, boundLongTraces)
		return
	}
	trace.spans = append(trace.spans, heldSpan{
		id: span.SpanID(), parent: span.ParentSpanID(), start: span.StartTimestamp(), end: span.EndTimestamp(),
		kind: span.Kind(), remote: span.Flags()&remoteParent == remoteParent, name: shorten(span.Name(), maxText), sources: sources,
	})
	t.spans++
}

// lost says that spans were lost on their way: traces under way may lack some.
func (t *traceTable) lost(now time.Time) {
	t.lostAt = now
	for e := t.order.Front(); e != nil; e = e.Next() {
		e.Value.(*heldTrace).cut = true
	}
}

// forget makes the judgement of traces final to which no span came for long.
func (t *traceTable) forget(now time.Time) {
	for t.judgeOldest(now, t.limits.forget) {
	}
}

// judgeOldest judges and forgets the trace to which no span came for the longest, if it
// has settled for that long.
func (t *traceTable) judgeOldest(now time.Time, settled time.Duration) bool {
	e := t.order.Front()
	if e == nil || now.Sub(e.Value.(*heldTrace).last) < settled {
		return false
	}
	trace := t.order.Remove(e).(*heldTrace)
	delete(t.held, trace.id)
	t.spans -= len(trace.spans)
	t.remember(trace.id)
	trace.judge(func(r *record) *traceTallies { return &r.traceTallies })
	return true
}

// remember notes the id of a trace that is judged, in the place of the oldest.
func (t *traceTable) remember(id pcommon.TraceID) {
	delete(t.judged, t.ring[t.next])
	t.ring[t.next] = id
	t.judged[id] = true
	t.next = (t.next + 1) % len(t.ring)
}

// tallies are a record's, with those of the traces that have settled and may still change.
func (t *traceTable) tallies(r *record, now time.Time) traceTallies {
	var open, others traceTallies
	for e := t.order.Front(); e != nil; e = e.Next() {
		trace := e.Value.(*heldTrace)
		if now.Sub(trace.last) < t.limits.settle {
			break // the traces behind it are younger
		}
		if trace.of(r) {
			trace.judge(func(other *record) *traceTallies {
				if other == r {
					return &open
				}
				return &others
			})
		}
	}
	final := r.traceTallies
	return traceTallies{
		manyInternal: final.manyInternal.plus(open.manyInternal), orphans: final.orphans.plus(open.orphans),
		manyShort: final.manyShort.plus(open.manyShort), skewed: final.skewed.plus(open.skewed),
	}
}

// of tells whether the trace has spans of the record.
func (trace *heldTrace) of(r *record) bool {
	for i := range trace.spans {
		for _, s := range trace.spans[i].sources {
			if s.record == r {
				return true
			}
		}
	}
	return false
}

// judge adds the trace to the tallies of each record that has spans in it. A span that
// came twice counts once.
func (trace *heldTrace) judge(tallies func(*record) *traceTallies) {
	byID := make(map[pcommon.SpanID]*heldSpan, len(trace.spans))
	for i := range trace.spans {
		byID[trace.spans[i].id] = &trace.spans[i]
	}
	counts := map[*record]*traceCounts{}
	for i := range trace.spans {
		span := &trace.spans[i]
		if byID[span.id] != span {
			continue
		}
		for _, s := range span.sources {
			c := counts[s.record]
			if c == nil {
				c = &traceCounts{}
				counts[s.record] = c
			}
			c.count(span)
			if !trace.cut && !span.parent.IsEmpty() {
				trace.judgeParent(span, byID[span.parent], s, tallies(s.record))
			}
		}
	}
	for r, c := range counts {
		t := tallies(r)
		t.manyInternal.add(hit(c.internal > MaxInternalSpans, trace.example(c.lastInternal, fmt.Sprintf("%d INTERNAL spans in one trace", c.internal))))
		t.manyShort.add(hit(c.short > MaxShortSpans, trace.example(c.lastShort, fmt.Sprintf("%d spans shorter than %s in one trace", c.short, ShortSpan))))
	}
}

// traceCounts counts spans of one record in one trace.
type traceCounts struct {
	internal, short         int
	lastInternal, lastShort *heldSpan
}

func (c *traceCounts) count(span *heldSpan) {
	if span.kind == ptrace.SpanKindInternal {
		c.internal++
		c.lastInternal = span
	}
	if span.end < span.start+pcommon.Timestamp(ShortSpan) {
		c.short++
		c.lastShort = span
	}
}

// judgeParent looks whether the span's parent is there, and whether the span begins
// before it.
func (trace *heldTrace) judgeParent(span, parent *heldSpan, s source, t *traceTallies) {
	if parent == nil && span.parent.String() == traceparent.ClientSpanID(trace.id.String()) {
		return // a request of the lab's own client, which exports no span
	}
	detail := "no span of the trace has the id of its parent, " + span.parent.String()
	if span.remote {
		detail += ", which the SDK says is another process's"
	}
	t.orphans.add(hit(parent == nil, trace.example(span, detail)))
	if parent == nil {
		return
	}
	for _, other := range parent.sources {
		if other.resource == s.resource {
			return
		}
	}
	early := time.Duration(parent.start) - time.Duration(span.start)
	t.skewed.add(hit(early > 0, trace.example(span, fmt.Sprintf("begins %s before its parent %q", early, masked("", parent.name)))))
}

func (trace *heldTrace) example(span *heldSpan, detail string) func() Example {
	return func() Example {
		return Example{TraceID: trace.id.String(), SpanID: span.id.String(), Name: masked("", span.name), Detail: detail}
	}
}
