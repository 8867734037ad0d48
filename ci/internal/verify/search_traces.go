package verify

import (
	"context"
	"hash/fnv"
	"slices"
	"time"

	"github.com/lgtm-lab/lgtm-lab/ci/internal/query"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/traffic"
	"github.com/lgtm-lab/lgtm-lab/ci/internal/wait"
)

// A look-up of a trace takes Tempo 10 ms, and more when much is stored. A search for
// thousands of traces takes it a few tenths of a millisecond for each.
const (
	// inWindow is how many of the run's requests a search is to find, on average.
	inWindow = 2000
	// inAnswer bounds the traces of an answer, others' included. When an answer is
	// full, the window is halved; a second is the shortest that Tempo takes.
	inAnswer = 10 * inWindow
	// fewLookups is how many traces are rather looked up than searched for again.
	fewLookups = 100
	// aroundRun is how far outside of the run's own times its spans may be.
	aroundRun = 2 * time.Second
)

// runSpans selects the spans that [whole] judges by. Requests of a run have no mark of
// their own but the trace id, which TraceQL does not compare by its beginning.
const runSpans = `{ resource.service.name =~ "frontend|backend" }`

// sighting is what the searches have shown of one trace. A run may have millions.
type sighting struct {
	// spans is a fingerprint of the spans, 0 of none.
	spans             uint64
	frontend, backend uint16
	// whole says that the spans prove the trace to be whole, differs that two windows
	// show different spans of it.
	whole, differs bool
	// failed says that one of the spans has failed.
	failed bool
	// took is the time from the first span's begin to the last one's end.
	took time.Duration
}

// searchAll adds to the tally the traces that searches show to be whole, and returns the
// numbers of the other requests whose traces must be there. It searches again while many
// are missing, for the services export on their own schedules: until the deadline, and on
// a busy machine for as long as each search finds more.
//
// A search is believed only where it proves a trace to be whole. So what it cannot show,
// be it that Tempo left something out or does not answer, costs time and nothing else.
func (v *verifier) searchAll(ctx context.Context, t traffic.Report, deadline time.Time, all *tally) (open []int, err error) {
	for before := t.Requests + 1; ; before = len(open) {
		seen := v.searchRun(ctx, t)
		open = nil
		for n := 1; n <= t.Requests; n++ {
			if !seen[n].proven() && (seen[n].spans != 0 || v.kept.Keeps(traffic.TraceID(t.TracePrefix, n))) {
				open = append(open, n)
			}
		}
		if len(open) <= fewLookups+t.Requests-t.BackendRequests || time.Now().After(deadline) && len(open) >= before {
			more, err := v.keptForContent(ctx, t, seen)
			v.addSeen(all, t, seen)
			v.seen, v.seenPrefix = seen, t.TracePrefix
			return append(open, more...), err
		}
		if err := wait.For(ctx, v.timing.every); err != nil {
			return nil, err
		}
	}
}

// searchRun searches for the run's traces once, window by window. The sightings are by
// the numbers of the requests.
func (v *verifier) searchRun(ctx context.Context, t traffic.Report) []sighting {
	seen := make([]sighting, t.Requests+1)
	from, end := t.Started.Add(-aroundRun).Truncate(time.Second), t.Finished.Add(aroundRun)
	perSecond := float64(t.Requests) / max(t.Finished.Sub(t.Started).Seconds(), 1)
	window := max(time.Second, time.Duration(inWindow/perSecond)*time.Second)
	for ctx.Err() == nil && !from.After(end) {
		// Tempo takes whole seconds, and both ends count.
		found, truncated, err := v.tempo.Spans(ctx, runSpans, []string{"span.db.system.name"}, from, from.Add(window-time.Second), inAnswer)
		if (truncated || err != nil) && window > time.Second && ctx.Err() == nil {
			window = max(time.Second, (window / 2).Truncate(time.Second))
			continue
		}
		if err == nil {
			sight(seen, t.TracePrefix, found)
		}
		from = from.Add(window)
	}
	return seen
}

// sight notes the spans of one answer. A trace that two windows overlap is in the answers
// of both, as a whole.
func sight(seen []sighting, prefix string, found map[string][]query.Span) {
	for id, spans := range found {
		n, ofRun := traffic.Number(prefix, id)
		if !ofRun || n >= len(seen) {
			continue
		}
		s := sighting{
			spans:    fingerprint(spans),
			frontend: uint16(len(serverSpans(spans, "frontend"))), backend: uint16(len(serverSpans(spans, "backend"))),
		}
		// Without the backend it may be whole, or a part.
		s.whole = whole(spans) == nil && s.backend > 0 && !twice(spans)
		s.failed = slices.ContainsFunc(spans, func(span query.Span) bool { return span.Failed })
		s.took = length(spans)
		s.differs = seen[n].differs || seen[n].spans != 0 && seen[n].spans != s.spans
		seen[n] = s
	}
}

// length is the time from the first span's begin to the last one's end.
func length(spans []query.Span) time.Duration {
	begin, end := spans[0].Start, spans[0].End
	for _, s := range spans {
		if s.Start.Before(begin) {
			begin = s.Start
		}
		if s.End.After(end) {
			end = s.End
		}
	}
	return end.Sub(begin)
}

// fingerprint is a number that differs, as good as surely, when the spans do, in whatever
// order they are.
func fingerprint(spans []query.Span) (sum uint64) {
	for _, s := range spans {
		h := fnv.New64a()
		h.Write([]byte(s.ID + s.ParentID + string(s.Kind) + s.Service))
		sum += h.Sum64() | 1
	}
	return sum
}

// proven tells whether the searches show the trace to be whole.
func (s sighting) proven() bool { return s.whole && !s.differs }

// addSeen adds the whole traces, and names those that need not have been kept.
func (v *verifier) addSeen(all *tally, t traffic.Report, seen []sighting) {
	for n, s := range seen {
		if !s.proven() {
			continue
		}
		all.stored++
		all.frontend += int(s.frontend)
		all.backend += int(s.backend)
		if id := traffic.TraceID(t.TracePrefix, n); !s.failed && s.took < v.kept.Slow && !v.kept.Keeps(id) {
			all.needless.add(id)
		}
	}
}
